#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# no-write.sh NOWRITE NORMAL NO_WRITE: a coolplaned without the code that writes holds nothing of it, refuses to go live and
# to release, and says why; the usual one does hold it, so the look is not blind.
set -u
nowrite=$1 normal=$2 option=$3
bad=0
breach() { echo "no-write: $*"; bad=1; }
# writes PROGRAM: the source file that writes is among its symbols
writes() { nm -a "$1" | grep -q ' a modbus_write\.c$'; }
nm -a "$nowrite" | grep -q ' a modbus_readonly\.c$' || breach "$nowrite has no symbols of the driver: the check sees nothing"
writes "$nowrite" && breach "$nowrite holds modbus_write.c"
case $option in
  ON | on | 1 | TRUE | true | YES | yes) writes "$normal" && breach "$normal holds modbus_write.c although COOLPLANE_NO_WRITE is on" ;;
  *) writes "$normal" || breach "$normal does not hold modbus_write.c" ;;
esac
for how in "--mode live" --release; do
  # shellcheck disable=SC2086
  said=$("$nowrite" --config /nonexistent/site.yaml $how 2>&1)
  [ $? = 2 ] || breach "$how is no usage error: $said"
  [[ $said == *'no code that writes'* ]] || breach "$how does not say why: $said"
done
"$nowrite" --config /nonexistent/site.yaml >/dev/null 2>&1
[ $? = 78 ] || breach "shadow is refused"
"$nowrite" --version | grep -q '^coolplaned [0-9.]* (shadow only' || breach "--version does not tell it apart: $("$nowrite" --version)"
writes "$normal" && "$normal" --version | grep -q shadow && breach "$normal says that it is shadow only"
[ $bad = 0 ] && echo "no-write: ok"
exit $bad
