#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A plant the simulator did not write, served by two files (tests/data/annex): other counts, devices, units and registers, no
# water side, no broker. The gate takes it over, lowers its fans, keeps its limits and hands it back.
. "$(dirname "$0")/lib.sh"
scale=100
python3 "$SRC/tests/system/annex_plant.py" "$work/port" $scale 2>"$work/annex.log" &
pids+=($!)
wait_for 5 '[ -s "$work/port" ]' || fail "the annex does not start"
mkdir "$work/site"
sed "s/@PORT@/$(cat "$work/port")/" "$SRC/tests/data/annex/site.yaml" >"$work/site/site.yaml"
cp "$SRC/tests/data/annex/points.csv" "$work/site/"
config=$work/site/site.yaml db=$work/site/coolplane.db
"$BIN/coolplane" check-config "$config" || fail "check-config"
time_args=(--time-scale $scale --time-origin "$(date +%s%3N):1752537600000")
start_gate --mode live --explore 10m
start_planner
wait_for 60 '[ "$(status | field mode)" = ACTIVE ]' || fail "the annex is not taken over: $(status)"
wait_for 90 'step_at_least 240' || fail "240 steps of 10 s do not come"
point() { sql "SELECT value FROM v_latest WHERE point = 'annex/comms/$1'"; }
at_least "inlet in C, not in F" "$(point row1/inlet)" 15
at_most "hottest inlet" "$(sql "SELECT max(value) FROM v_samples WHERE point LIKE '%/inlet' AND quality = 'GOOD'")" 26.1
at_most "rack power in W" "$(point row3/power)" 3400
at_least "rack power in W" "$(point row3/power)" 3200
at_most "mean fan" "$(sql "SELECT avg(value) FROM v_latest WHERE point LIKE '%/fan_speed_sp'")" 0.80
at_most "setpoint in C" "$(sql "SELECT max(value) FROM v_actions WHERE point LIKE '%_air_sp'")" 25.01
stop_pid "$gate"
wait_for 5 '[ "$(python3 "$SRC/tests/system/annex_status.py" "$(cat "$work/port")")" = local ]' || fail "not handed back"
pass "fans at $(point crac-east/fan_speed_sp), hottest inlet $(sql "SELECT round(max(value), 1) FROM v_samples WHERE point LIKE '%/inlet'") C"
