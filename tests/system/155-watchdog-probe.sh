#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# M9: before the first setpoint every device has to go local when heartbeats stop. One whose watchdog does not act, twice, is let
# go and never gets a setpoint, the others are taken; status, why and check-live name it; a restart asks only that one
# again. Where no watchdog acts, nothing is taken.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 60 --fault inert:crah-2@0
# audit FILE [DEVICE]: of a plant's log of writes: no setpoint to DEVICE; to every other device one, and the first of them
# only after heartbeats had been missing for longer than a watchdog less a period
audit() {
  python3 - "$config" "$1" "${2:-}" <<'PY'
import csv, re, sys
site, log, inert = sys.argv[1:4]
supervision = {"crah-1": (10, 11), "crah-2": (10, 11), "crah-3": (310, 312), "crah-4": (2010, 2011), "chiller-1": (10, 11),
               "plant": (10, 11)}
beat = {"crah-3": 312, "crah-4": 2011}
first, last_beat, gap = {}, {}, {}
for r in csv.reader(open(log)):
    if r[0] == "time":
        continue
    t, device, address = int(r[1]), r[2], int(r[5])
    if address == beat.get(device, 10):
        gap[device] = max(gap.get(device, 0), t - last_beat.get(device, t))
        last_beat[device] = t
    elif address not in supervision[device]:
        first.setdefault(device, gap.get(device, 0))
if inert in first or set(first) != {"crah-1", "crah-3", "crah-4", "plant"} | ({"crah-2"} - {inert}):
    sys.exit(f"setpoints went to {sorted(first)}")
early = {d: g for d, g in first.items() if g < 50000}
if early:
    sys.exit(f"the first setpoint before a gap of heartbeats (ms): {early}")
PY
}
said() { sql "SELECT count(*) FROM v_events WHERE run = $1 AND text LIKE '%$2%'" 2>/dev/null; }
fixed() { status | python3 -c 'import json,sys; print(sum(sys.argv[1] in f["reason"] for f in json.load(sys.stdin)["fixed"]))' "$1"; }

start_gate --mode live --explore 10m
start_planner
wait_for 40 '[ "$(said 1 "its watchdog acts, it was")" = 5 ] && [ "$(said 1 "its watchdog does not act, still")" = 1 ]' ||
  fail "not probed: $(sql "SELECT text FROM v_events WHERE component = 'actuate'")"
s=$(status | field step)
wait_for 60 "step_at_least $((s + 30))" || fail "30 steps (15 min) do not come"
# water is set every five minutes at most, and stays where nothing is gained by moving it
wait_for 60 '[ "$(sql "SELECT count(*) FROM v_actions WHERE point LIKE '"'%/plant/plant/%temp_sp'"'" 2>/dev/null)" -ge 1 ]' || fail "no setpoint to the plant in an hour"
[ "$(fixed 'its watchdog does not act')" = 2 ] || fail "status does not name the two setpoints of crah-2: $(status)"
[ "$(fixed '')" = 2 ] || fail "something else is not ours: $(status)"
"$BIN/coolplane" status --config "$config" >"$work/status.txt" || fail "status"
grep -q '^not ours .*crah-2/fan_cmd .*its watchdog does not act' "$work/status.txt" || fail "status: $(cat "$work/status.txt")"
"$BIN/coolplane" why latest --config "$config" >"$work/why.txt" || fail "why"
grep -q 'crah-2/fan_cmd: its watchdog does not act' "$work/why.txt" || fail "why does not name it: $(cat "$work/why.txt")"
grep -q 'crah-1/.*watchdog' "$work/why.txt" && fail "why names another: $(cat "$work/why.txt")"
"$BIN/coolplane" check-live --config "$config" "${time_args[@]}" >"$work/live.txt" || fail "check-live: $(cat "$work/live.txt")"
grep -q '^device crah-1 .*supervised: remote, its watchdog acts (seen 2025-07-15T00:0' "$work/live.txt" || fail "check-live: $(grep ^device "$work/live.txt")"
grep -q '^device crah-2 .*supervised: local, its watchdog does not act (seen 2025' "$work/live.txt" || fail "check-live: $(grep ^device "$work/live.txt")"
stop_pid "$gate"
audit "$writes" crah-2 || fail "the plant's log of writes"
[ "$(sql "SELECT count(*) FROM v_actions WHERE point LIKE '%/crah-2/%' AND why = 'decision'")" = 0 ] || fail "a decision on crah-2 was written"

start_gate --mode live
wait_for 40 '[ "$(said 2 "its watchdog does not act, still")" = 1 ]' || fail "crah-2 is not asked again"
[ "$(said 2 withheld)" = 2 ] || fail "others were asked again: $(sql "SELECT text FROM v_events WHERE run = 2")"
[ "$(fixed '')" = 2 ] || fail "not taken again: $(status)"
stop_pid "$gate"
stop_pid "$planner"
stop_pid "$plant"
[ "$(field account.hard_violations_since_takeover <"$work/plant.json")" = 0 ] || fail "hard violations"

rm -r "$work/site"
start_plant tiny 60 --fault watchdog-inert@0
start_gate --mode live
wait_for 40 '[ "$(said 1 "its watchdog does not act, still")" = 6 ]' || fail "no watchdog acts: $(sql "SELECT text FROM v_events")"
s=$(status | field step)
wait_for 30 "step_at_least $((s + 10))" || fail "the loop stopped"
stop_pid "$gate"
[ "$(sql "SELECT count(*) FROM v_actions WHERE why = 'decision'")" = 0 ] || fail "setpoints were written"
stop_pid "$plant"
[ "$(field account.hard_violations <"$work/plant.json")" = 0 ] || fail "hard violations"
pass "5 of 6 devices taken, none where no watchdog acts"
