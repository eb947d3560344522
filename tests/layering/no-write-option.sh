#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# no-write-option.sh: with the option COOLPLANE_NO_WRITE what coolplaned and coolplane are built from holds modbus_readonly.c
# and not modbus_write.c. Configures only, builds nothing; the simulator, which keeps it, shows that the look is not blind.
set -u
cd "${SRC:?}" || exit 2
command -v ninja >/dev/null || { echo "SKIP: ninja is not installed"; exit 77; }
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
bad=0
breach() { echo "no-write-option: $*"; bad=1; }
cmake -S . -B "$work" -G Ninja -DCMAKE_C_COMPILER="${CC:-cc}" -DCOOLPLANE_NO_WRITE=ON -DCOOLPLANE_TESTS=OFF >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log"; exit 1; }
# of PROGRAM FILE: it is built from this source file
of() { ninja -C "$work" -t inputs "bin/$1" 2>&1 | grep -q "agent/drivers/$2\.c$"; }
for program in coolplaned coolplane; do
  of $program modbus_readonly || breach "$program is not built from modbus_readonly.c"
  of $program modbus_write && breach "$program is built from modbus_write.c"
done
of coolplane-sim modbus_write || breach "coolplane-sim is not built from modbus_write.c: the check sees nothing"
[ $bad = 0 ] && echo "no-write-option: ok"
exit $bad
