#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a package of the agent holds: four programs that run, their units and examples; never the simulator.
. "$(dirname "$0")/lib.sh"
need cmake

# an installation that is interrupted leaves no policy behind that keeps the machine's services from starting
mkdir "$work/fake"
printf '#!/bin/sh\nexit 1\n' >"$work/fake/dpkg-query"
printf '#!/bin/sh\nexec "$@"\n' >"$work/fake/sudo"
printf '#!/bin/sh\n[ -x "%s/policy" ] && echo "$@" >>"%s/apt.txt"\n[ "$1" = update ] || kill -TERM $PPID\n' "$work" "$work" >"$work/fake/apt-get"
chmod 755 "$work/fake"/*
PATH=$work/fake:$PATH bash -c '. "$1/deploy/packages.sh"; policy_rc_d=$2; install_packages something' - "$SRC" "$work/policy" 2>/dev/null &&
  fail "an interrupted installation says it went well"
grep -q 'install .*something' "$work/apt.txt" || fail "the installation ran without its policy"
[ ! -e "$work/policy" ] || fail "an interrupted installation leaves its policy behind"
build=$(dirname "$BIN")
DESTDIR=$work/root cmake --install "$build" --component agent >"$work/install.log" 2>&1 || fail "install"
prefix=$work/root$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")
for p in coolplaned coolplane-planner coolplane-web coolplane; do
  [ -x "$prefix/bin/$p" ] || fail "no $p"
  "$prefix/bin/$p" --version >"$work/version.txt" 2>&1 || fail "$p --version: $(cat "$work/version.txt")"
  grep -q "^$p [0-9]" "$work/version.txt" || fail "$p --version says: $(cat "$work/version.txt")"
done
[ "$(ls "$prefix/bin" | wc -l)" = 4 ] || fail "programs: $(ls "$prefix/bin")"
[ -z "$(find "$work/root" -name '*sim*' -type f)" ] || fail "the simulator is in the agent: $(find "$work/root" -name '*sim*')"
for u in coolplaned coolplaned-shadow coolplane-planner coolplane-web; do
  unit=$prefix/lib/systemd/system/$u.service
  [ -f "$unit" ] || fail "no $u.service"
  program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
  [ -x "$work/root$program" ] || fail "$u.service starts $program, which is not installed"
  grep -q '@[A-Z_]*@' "$unit" && fail "$u.service has an unfilled name"
done
python3 "$SRC/tests/system/check_units.py" "$prefix/lib/systemd/system" >"$work/units.txt" || fail "$(cat "$work/units.txt")"
sysusers=$prefix/lib/sysusers.d/coolplane.conf
[ -f "$sysusers" ] || fail "no sysusers.d entry"
for user in $(sed -n 's/^\(User\|SupplementaryGroups\)=//p; s/.*--planner-user \([a-z-]*\).*/\1/p' "$prefix"/lib/systemd/system/coolplane*.service | sort -u); do
  grep -q "^u $user " "$sysusers" || fail "a unit names the user $user, which sysusers.d does not make"
done
[ -f "$prefix/share/doc/coolplane/serial.conf" ] || fail "no drop-in for serial lines"
"$prefix/bin/coolplane" check-config "$prefix/share/doc/coolplane/examples/tiny/site.yaml" >"$work/check.txt" 2>&1 ||
  fail "the installed example: $(cat "$work/check.txt")"
pass
