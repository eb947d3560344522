#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The units as systemd reads them, and the service protocol against a fake supervisor on $NOTIFY_SOCKET: READY, a watchdog
# kick per completed cycle and none from a stalled one, STOPPING on the way out. Never a real systemd.
. "$(dirname "$0")/lib.sh"
need systemd-analyze
for u in coolplaned coolplaned-shadow coolplane-planner coolplane-web; do
  out=$(systemd-analyze verify --man=no "$UNITS/$u.service" 2>&1 | grep -F "$UNITS/$u.service")
  [ -z "$out" ] || fail "systemd-analyze verify $u: $out"
done
# what they must agree on between themselves; and that the check sees it when they do not
python3 "$SRC/tests/system/check_units.py" "$UNITS" >"$work/units.txt" || fail "$(cat "$work/units.txt")"
without() { # WHAT IT SAYS, SED EXPRESSION, UNIT…
  local says=$1 edit=$2 u
  shift 2
  rm -rf "$work/edited"
  mkdir "$work/edited"
  cp "$UNITS"/*.service "$work/edited"
  for u in "$@"; do sed -i "$edit" "$work/edited/$u.service"; done
  python3 "$SRC/tests/system/check_units.py" "$work/edited" >"$work/units.txt" && fail "units that are wrong ($edit) pass"
  grep -q "$says" "$work/units.txt" || fail "units that are wrong ($edit): $(cat "$work/units.txt")"
}
without 'not ordered' '/^\(After\|Before\)=coolplaned/d' coolplaned coolplaned-shadow
without 'each ordered after' 's/^Before=coolplaned-shadow.service/After=coolplaned-shadow.service/' coolplaned
without 'removes /run/coolplane' '/^RuntimeDirectoryPreserve=/d' coolplaned-shadow
without 'TimeoutStartSec is below' '/^TimeoutStartSec=/d' coolplaned
score() { systemd-analyze security --offline=true "$UNITS/$1.service" 2>/dev/null | sed -n 's/.*: \([0-9.]*\) .*/\1/p' | tail -n 1; }
at_most "exposure of coolplaned" "$(score coolplaned)" 1.2
at_most "exposure of coolplane-planner" "$(score coolplane-planner)" 0.2
at_most "exposure of coolplane-web" "$(score coolplane-web)" 1.0

# the drop-in for serial lines: understood, opens the three kinds of line, and what it costs
mkdir -p "$work/units"
for u in coolplaned coolplaned-shadow; do
  install -D -m 644 "$SRC/deploy/serial.conf" "$work/units/$u.service.d/serial.conf"
  cp "$UNITS/$u.service" "$work/units"
  out=$(systemd-analyze verify --man=no "$work/units/$u.service" 2>&1 | grep -F "$work/units")
  [ -z "$out" ] || fail "serial.conf: $out"
done
serial=$(systemd-analyze security --offline=true "$work/units/coolplaned.service" 2>/dev/null | sed -n 's/.*: \([0-9.]*\) .*/\1/p' | tail -n 1)
at_most "exposure with serial.conf" "$serial" 1.6
at_least "exposure with serial.conf (is it read?)" "$serial" 1.3

start_broker
start_plant tiny 300
cat >"$work/supervisor.py" <<'PY'
# Binds the notify socket and logs every message with the wall time.
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "w", buffering=1) as log:
    while True:
        for line in s.recv(4096).decode().splitlines():
            log.write(f"{time.time():.3f} {line}\n")
PY
python3 "$work/supervisor.py" "$work/notify.sock" "$work/notify.txt" &
pids+=($!)
wait_for 5 '[ -S "$work/notify.sock" ]' || fail "no supervisor"
export NOTIFY_SOCKET=$work/notify.sock
export WATCHDOG_USEC=1000000 # a step takes 0.1 s here
start_gate --mode shadow
start_planner
wait_for 10 'grep -q READY=1 "$work/notify.txt"' || fail "READY=1 does not come"
wait_for 20 '[ $(grep -c WATCHDOG=1 "$work/notify.txt") -ge 20 ]' || fail "the watchdog is not kicked"
kicks=$(grep -c WATCHDOG=1 "$work/notify.txt")
at_most "kicks without a cycle" "$((kicks - $(status | field step)))" 0
kill -STOP "$gate"
sleep 0.3
before=$(grep -c WATCHDOG=1 "$work/notify.txt")
sleep 1
[ "$(grep -c WATCHDOG=1 "$work/notify.txt")" = "$before" ] || fail "a stopped gate kicks its watchdog"
kill -CONT "$gate"
wait_for 5 '[ $(grep -c WATCHDOG=1 "$work/notify.txt") -gt "$before" ]' || fail "no kick after the stall"
grep -q 'STATUS=SHADOW' "$work/notify.txt" || fail "STATUS does not carry the mode"
stop_pid "$gate"
grep -q STOPPING=1 "$work/notify.txt" || fail "STOPPING=1 does not come"
grep -q WATCHDOG_USEC "$work/notify.txt" && fail "a watchdog of ten cycles is changed"
WATCHDOG_USEC=50000 start_gate --mode shadow # a watchdog shorter than a cycle would kill it for ever
wait_for 10 'grep -q WATCHDOG_USEC= "$work/notify.txt"' || fail "a watchdog shorter than a cycle stays"
[ "$(sed -n 's/.*WATCHDOG_USEC=//p' "$work/notify.txt")" = 300000 ] || fail "the watchdog is not three cycles"
stop_pid "$gate"
pass "exposure $(score coolplaned) (serial $serial) / $(score coolplane-planner) / $(score coolplane-web), $kicks kicks"
