#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# M1, R4: the annex on a serial line (a pty), two units on it. Shadow reads and writes nothing; live writes and reads back; a
# silent unit is stale, costs one time-out a back-off and does not stop the other one or the loop; it recovers.
. "$(dirname "$0")/lib.sh"
scale=10
line=$work/ttyRTU
python3 "$SRC/tests/system/annex_plant.py" "$work/port" $scale "$line" 2>"$work/annex.log" &
pids+=($!)
wait_for 5 '[ -s "$work/port" ] && [ -e "$line.log" ]' || fail "the annex does not start"
mkdir "$work/site"
sed "s#protocol: modbus-tcp, host: 127.0.0.1, port: @PORT@#protocol: modbus-rtu, host: $line, baud: 19200, parity: E, timeout: 200ms#" \
  "$SRC/tests/data/annex/site.yaml" >"$work/site/site.yaml"
[ "$(grep -c 'modbus-rtu' "$work/site/site.yaml")" = 2 ] || fail "the site is not on the line"
cp "$SRC/tests/data/annex/points.csv" "$work/site/"
config=$work/site/site.yaml db=$work/site/coolplane.db
"$BIN/coolplane" check-config "$config" || fail "check-config"
start_ms=1752537600000
wall_ms=$(date +%s%3N)
time_args=(--time-scale $scale --time-origin "$wall_ms:$start_ms")
value() { sql "SELECT value FROM v_latest WHERE point = 'annex/comms/$1'"; }
good() { sql "SELECT count(*) FROM v_samples WHERE point = 'annex/comms/$1' AND quality = 'GOOD'"; }
device() { status | python3 -c 'import json,sys
for d in json.load(sys.stdin)["devices"]:
    if d["name"] == sys.argv[1]: print(d[sys.argv[2]])' "$1" "$2"; }
asked() { awk -v u="$1" '$1 == u' "$line.log" | wc -l; }

start_gate
wait_for 20 'status >/dev/null' || fail "the gate does not start"
wait_for 30 '[ "$(good row3/power)" -ge 3 ] && [ "$(good row1/inlet)" -ge 3 ]' || fail "no good samples in shadow: $(status)"
at_least "rack power in W" "$(value row3/power)" 3200
at_most "rack power in W" "$(value row3/power)" 3400
at_least "inlet in C" "$(value row1/inlet)" 15
stop_pid "$gate"
[ "$(awk '$2 == 16' "$line.log" | wc -l)" = 0 ] || fail "shadow wrote"
grep -q 'bad CRC' "$line.log" && fail "bad frames: $(cat "$line.log")"

start_gate --mode live --explore 1h # it moves the setpoints
start_planner
wait_for 40 '[ "$(sql "SELECT count(*) FROM v_actions WHERE point LIKE '"'%_sp'"' AND result = '"'ACCEPTED'"' AND read_back IS NOT NULL")" -ge 1 ]' ||
  fail "no setpoint written and read back: $(sql "SELECT * FROM v_actions ORDER BY t_ms DESC LIMIT 3")"
[ "$(device bms state)" = up ] && [ "$(device meters state)" = up ] || fail "the line is not up: $(status)"

before=$(device meters timeouts)
touch "$line.silent-200"
from=$(asked 200)
wait_for 30 '[ "$(device meters state)" = down ]' || fail "the silent unit is $(device meters state)"
wait_for 30 '[ "$(device meters timeouts)" -ge $((before + 3)) ]' || fail "time-outs are not counted: $(device meters poll_errors)"
s=$(status | field step)
wait_for 30 "step_at_least $((s + 3))" || fail "the loop stopped"
[ "$(sql "SELECT quality || ' ' || reason FROM v_latest WHERE point = 'annex/comms/row3/power'")" = "BAD comm-fail" ] ||
  fail "the silent unit's point is $(sql "SELECT quality, reason FROM v_latest WHERE point = 'annex/comms/row3/power'")"
# What was asked in the silence is what timed out, but for one in flight: nothing was sent twice, nothing in a back-off
# (1 s, 2 s, 4 s, … while the period is 1 s).
t=$(($(device meters timeouts) - before)) n=$(($(asked 200) - from))
at_least "requests to the silent unit" "$n" "$t"
at_most "requests to the silent unit" "$n" $((t + 1))
at_most "time-outs" "$t" 6
case "$(device meters last_error)" in *time-out*) ;; *) fail "the reason is $(device meters last_error)" ;; esac
[ "$(device bms state)" = up ] || fail "the other unit is $(device bms state)"
g=$(good row1/inlet)
wait_for 20 '[ "$(good row1/inlet)" -gt $((g + 2)) ]' || fail "the other unit is not read"

rm "$line.silent-200"
g=$(good row3/power)
wait_for 60 '[ "$(device meters state)" = up ] && [ "$(good row3/power)" -gt "$g" ]' || fail "the unit does not recover: $(status)"
stop_pid "$gate"
[ "$(python3 "$SRC/tests/system/annex_status.py" "$(cat "$work/port")")" = local ] || fail "not handed back"
pass "$t time-outs, $n requests in the silence"
