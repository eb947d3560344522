#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job: takes the plant over, steers it inside its limits, and hands it back on SIGTERM; everything is on record.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 120
"$BIN/coolplane" points list --config "$config" --json >"$work/points.json" || fail "points list"
# plant ROLE: raw registers of every point of a role, read from the devices without our code
plant_says() {
  python3 "$SRC/tests/system/modbus_read.py" "$work/points.json" \
    $(python3 -c 'import json,sys; print(*[p["name"] for p in json.load(open(sys.argv[1])) if p["role"] == sys.argv[2]])' "$work/points.json" "$1")
}
plant_says remote_status >"$work/remote.txt" || fail "remote status cannot be read"
n=$(wc -l <"$work/remote.txt")
at_least "supervised devices" "$n" 6
for role in sat_sp fan_cmd chwst_sp cwst_sp; do plant_says $role; done >"$work/local.txt"
grep -q ' [1-9]' "$work/remote.txt" && fail "remote before the gate said so: $(cat "$work/remote.txt")"
start_gate --mode live --explore 10m
start_planner
wait_for 30 '[ "$(plant_says remote_status | grep -c " 1$")" = "$n" ]' || fail "not taken over: $(plant_says remote_status)"
wait_for 60 'step_at_least 80' || fail "80 steps (40 min) do not come"
[ "$(status | field planner)" = True ] || fail "no planner"
for role in sat_sp fan_cmd chwst_sp cwst_sp; do plant_says $role; done >"$work/steered.txt"
cmp -s "$work/local.txt" "$work/steered.txt" && fail "no setpoint moved in 40 min of exploration and control"
stop_gate_s=$(date +%s%3N)
stop_pid "$gate"
at_most "hand-back, ms" $(($(date +%s%3N) - stop_gate_s)) 8000
# at once, long before the watchdog (60 s of plant time): the remote enables were written
plant_says remote_status >"$work/remote.txt"
[ "$(grep -c ' 0$' "$work/remote.txt")" = "$n" ] || fail "still remote: $(cat "$work/remote.txt")"
wait_for 5 'for role in sat_sp fan_cmd; do plant_says $role; done >"$work/after.txt"; grep -e supply_air -e fan_cmd "$work/local.txt" | cmp -s - "$work/after.txt"' ||
  fail "setpoints are not the local ones: $(diff "$work/local.txt" "$work/after.txt")"
grep -q 'hand-back not confirmed' "$work/gate.log" && fail "the hand-back was not confirmed"

[ "$(sql 'PRAGMA quick_check')" = ok ] || fail "quick_check"
at_least "decisions with a proposal" "$(sql 'SELECT count(*) FROM v_decisions WHERE has_proposal')" 60
at_least "writes that were confirmed" "$(sql "SELECT count(*) FROM v_actions WHERE result = 'ACCEPTED'")" 10
open=$(sql 'SELECT count(*) FROM v_actions WHERE outcome_time IS NULL')
[ "$open" = 0 ] || fail "$open actions without an outcome: $(sql 'SELECT time, point, value, why, result FROM v_actions WHERE outcome_time IS NULL LIMIT 5')"
[ "$(sql 'SELECT count(*) FROM v_decisions WHERE NOT verified')" = 0 ] || fail "the second checker disagreed"
bad=$(sql "SELECT count(*) FROM v_actions WHERE result NOT IN ('ACCEPTED', 'PENDING', 'NOT_SENT')")
at_most "writes that failed" "$bad" 0
[ "$(sql 'SELECT end_reason FROM v_runs')" = stopped ] || fail "the run is not closed"
sql "SELECT text FROM v_events WHERE component = 'gate'" | grep -q 'hand-back' || fail "no event for the hand-back"
# the plant saw exactly what we say we wrote: each confirmed setpoint is one write PDU of its log
stop_pid "$plant"
at_least "write PDUs" "$(($(wc -l <"$writes") - 1))" "$(sql "SELECT count(*) FROM v_actions WHERE result = 'ACCEPTED'")"
[ "$(field account.hard_violations <"$work/plant.json")" = 0 ] || fail "hard violations"
pass "$(sql 'SELECT count(*) FROM v_decisions') decisions, $(sql "SELECT count(*) FROM v_actions WHERE result = 'ACCEPTED'") confirmed writes, hottest inlet $(field account.max_inlet_c <"$work/plant.json")"
