#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fail-back after kill -9 (ExecStopPost of the unit): the plant is local within seconds, long before its own watchdogs;
# nothing but remote enable is written; never beside a living gate; nothing to do after a clean stop; bounded when dead.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 4 # the devices' watchdogs take 60 s of plant time: 15 s here
points=$work/points.json
"$BIN/coolplane" points list --config "$config" --json >"$points" || fail "points list"
remote() { # devices that follow us now
  python3 - "$SRC/tests/system" "$points" <<'PY'
import json, sys
sys.path.insert(0, sys.argv[1])
from modbus_read import read_point
print(sum(read_point(p)[-1] != 0 for p in json.load(open(sys.argv[2])) if p["role"] == "remote_status"))
PY
}
release() { timeout 20 "$BIN/coolplaned" --config "$config" "${time_args[@]}" --release >"$work/release.log" 2>&1; }
written() { sed 1d "$writes" | wc -l; }
all=$(python3 -c 'import json, sys; print(sum(p["role"] == "remote_status" for p in json.load(open(sys.argv[1]))))' "$points")
[ "$all" -ge 3 ] || fail "the plant has $all devices to release"

start_gate --mode live
# it has let every device go local once by then, to see that its watchdog acts
proved() { sql "SELECT count(*) FROM v_events WHERE text LIKE '%its watchdog acts, it was%'" 2>/dev/null; }
wait_for 60 '[ "$(proved)" = "$all" ]' ||
  fail "the watchdogs are not proved"
wait_for 40 '[ "$(remote)" = "$all" ]' || fail "the gate does not take the plant: $(remote) of $all"
release
[ $? = 75 ] || fail "beside a living gate: $(cat "$work/release.log")"
[ "$(remote)" = "$all" ] || fail "a release beside a living gate took the plant from it"

kill -KILL "$gate"
wait "$gate" 2>/dev/null
before=$(written)
started=$(date +%s%3N)
release || fail "release: exit $?: $(cat "$work/release.log")"
wait_for 3 '[ "$(remote)" = 0 ]' || fail "$(remote) devices are still remote"
took_ms=$(($(date +%s%3N) - started))
at_most "ms until the plant is local" $took_ms 6000
[ "$(grep -c 'remote enable cleared' "$work/release.log")" = "$all" ] || fail "not a line a device: $(cat "$work/release.log")"
[ $(($(written) - before)) = "$all" ] || fail "$(($(written) - before)) writes for $all devices"
sed 1d "$writes" | tail -n "$all" | cut -d, -f7 | grep -qvx 0 && fail "something else than 0 was written"

before=$(written)
release || fail "again: exit $?"
[ "$(written)" = "$before" ] || fail "a release of a local plant writes"
start_gate --mode live
wait_for 40 '[ "$(remote)" = "$all" ]' || fail "the gate does not take the plant again"
known() { sql "SELECT count(*) FROM latest JOIN point ON id = point_id WHERE role LIKE 'remote_enable%' AND value > 0.5"; }
wait_for 20 '[ "$(known)" = "$all" ]' || fail "the gate does not see what it took: $(known)"
stop_pid "$gate"
before=$(written)
release || fail "after a clean stop: exit $?: $(cat "$work/release.log")"
[ "$(written)" = "$before" ] || fail "a release after a clean stop writes"

# A device that is away when the fail-back begins, and back two seconds later; and a disk that has gone read-only.
start_gate --mode live
wait_for 40 '[ "$(remote)" = "$all" ]' || fail "the gate does not take the plant a third time"
kill -KILL "$gate"
wait "$gate" 2>/dev/null
kill -STOP "$plant"
(sleep 2; kill -CONT "$plant") &
read_only=()
unshare -rm bash -c "mount --bind '$work' '$work' && mount -o remount,ro,bind '$work'" 2>/dev/null &&
  read_only=(unshare -rm bash -c 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"' "$work")
[ "${#read_only[@]}" -gt 0 ] || echo "note: no mount namespaces here, so the disk stays writable"
"${read_only[@]}" timeout 20 "$BIN/coolplaned" --config "$config" "${time_args[@]}" --release >"$work/release.log" 2>&1 ||
  fail "devices away for two seconds: exit $?: $(cat "$work/release.log")"
[ "$(remote)" = 0 ] || fail "$(remote) devices are still remote after an outage: $(cat "$work/release.log")"

kill -STOP "$plant" # devices that accept and say nothing
SECONDS=0
release
[ $? = 69 ] || fail "silent devices: $(cat "$work/release.log")"
at_most "seconds with silent devices" $SECONDS 10
[ "$(grep -c 'not cleared (.*last error: .*time' "$work/release.log")" = "$all" ] || fail "no cause a device: $(cat "$work/release.log")"
kill -CONT "$plant"
pass "$all devices local $took_ms ms after the kill"
