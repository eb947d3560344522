#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# M1, M4, R6: one device black-holed, another answering garbage: the others keep their scan, the loop and the limits hold,
# the reasons are in the events that `coolplane why` shows.
. "$(dirname "$0")/lib.sh"
timeout 20 "$BIN/coolplane-sim" serve --site tiny --fault crah-fail:0@300 --fault crah-fail:99@86400 2>"$work/bad.txt"
[ $? = 2 ] && grep -q 'no fault "crah-fail:99"' "$work/bad.txt" || fail "a fault that does not exist: $(cat "$work/bad.txt")"
start_broker
start_plant tiny 60 --fault blackhole:crah-2@300 --fault garbage:crah-3@300
start_gate --mode live --explore 0s
start_planner
wait_for 60 '[ $(now_plant_ms) -gt $((start_ms + 600000)) ]'
device() { status | python3 -c 'import json,sys
for d in json.load(sys.stdin)["devices"]:
    if d["name"] == sys.argv[1]:
        for k in sys.argv[2].split("."): d = d[k]
        print(d)' "$1" "$2"; }
wait_for 60 '[ "$(device crah-2 state)" = down ]' || fail "the black hole is $(device crah-2 state)"
wait_for 60 '[ "$(device crah-3 state)" = down ]' || fail "the garbage device is $(device crah-3 state)"
wait_for 20 'device crah-2 last_error | grep -q "time-out"' || fail "status names no time-out: $(device crah-2 last_error)"
wait_for 20 'device crah-3 last_error | grep -q "not a Modbus header"' || fail "status names no garbage: $(device crah-3 last_error)"
at_least "bad replies counted" "$(device crah-3 poll_errors.bad-reply)" 1
at_least "time-outs counted" "$(device crah-2 poll_errors.timeout)" 1
s=$(status | field step)
wait_for 60 "step_at_least $((s + 10))" || fail "the loop stopped"
[ "$(device crah-1 state)" = up ] || fail "crah-1 is $(device crah-1 state)"
at_least "bad samples of the dead device" "$(sql "SELECT count(*) FROM v_samples WHERE point LIKE '%/crah-2/%' AND reason = 'comm-fail'")" 1
"$BIN/coolplane" why tiny/room-1/crah-2/supply_air_temp --config "$config" >"$work/why.txt" || fail "why POINT"
grep -q 'comm-fail' "$work/why.txt" || fail "why does not name the reason: $(cat "$work/why.txt")"
grep -q 'crah-2 is down: .*time-out' "$work/why.txt" || fail "why does not show the event"
"$BIN/coolplane" why tiny/room-1/crah-3/supply_air_temp --config "$config" >"$work/why.txt" || fail "why POINT"
grep -q 'BAD, comm-fail' "$work/why.txt" || fail "why does not name the reason: $(cat "$work/why.txt")"
# a short piece of garbage looks like no answer: which it was when it went down is chance
grep -q 'crah-3 is down: ' "$work/why.txt" || fail "why does not say that crah-3 went down: $(cat "$work/why.txt")"
stop_pid "$gate"
stop_pid "$plant"
[ "$(field account.hard_violations <"$work/plant.json")" = 0 ] || fail "hard violations"
pass "hottest inlet $(field account.max_inlet_c <"$work/plant.json")"
