#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# R23: the broker stops and comes back: Modbus and the loop go on, the limits hold, `why` names the reason of each step and
# each reading, MQTT samples flow again.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 60
start_gate --mode live --explore 0s
start_planner
wait_for 60 '[ "$(status | field mqtt.samples || echo 0)" -gt 0 ]' || fail "no MQTT samples"
wait_for 5 '[ "$(sql "SELECT count(*) FROM v_events WHERE component = '"'mqtt'"'")" -gt 0 ]' || fail "no event for the connection"
stop_pid "$broker"
wait_for 60 '[ "$(status | field mqtt.connected)" = False ]' || fail "the loss is not noticed"
why() { "$BIN/coolplane" why "$1" --config "$config" >"$work/why.txt" || fail "why $1"; }
says() { why "$1"; grep -q -e "$2" "$work/why.txt"; }
lost() { sql "SELECT d.step FROM v_events e JOIN v_decisions d ON d.t_ms >= e.t_ms WHERE e.component = 'mqtt' AND e.text LIKE 'broker lost%' ORDER BY d.t_ms LIMIT 1"; }
wait_for 20 '[ -n "$(lost)" ]' || fail "no step since the loss: $(sql "SELECT * FROM v_events WHERE component = 'mqtt'")"
says "$(lost)" "mqtt: broker lost" || fail "why does not show the loss: $(cat "$work/why.txt")"
# Some minutes of plant time later the readings that come by MQTT are missed.
wait_for 20 'says latest "a reading that the decision needs is stale or bad"' || fail "why does not name the reason: $(cat "$work/why.txt")"
p=$(sql "SELECT point FROM v_latest WHERE reason = 'comm-fail' ORDER BY point LIMIT 1")
[ -n "$p" ] || fail "no reading is marked: $(sql "SELECT reason, count(*) FROM v_latest GROUP BY 1")"
says "$p" "BAD, comm-fail" || fail "why $p does not say comm-fail: $(cat "$work/why.txt")"
[ -n "$(status | field mqtt.last_error)" ] || fail "status does not say what is wrong with the broker"
s=$(status | field step)
wait_for 60 "step_at_least $((s + 10))" || fail "the loop stopped without the broker"
n=$(status | field mqtt.samples)
start_broker "$mqtt"
wait_for 60 "[ \"\$(status | field mqtt.samples || echo 0)\" -gt $n ]" || fail "no MQTT samples after the restart"
wait_for 30 'why latest && ! grep -q "stale or bad" "$work/why.txt"' || fail "the readings are back, the reason is not gone"
stop_pid "$gate"
stop_pid "$plant"
[ "$(field account.hard_violations <"$work/plant.json")" = 0 ] || fail "hard violations"
at_most "hottest inlet" "$(field account.max_inlet_c <"$work/plant.json")" 27
pass "hottest inlet $(field account.max_inlet_c <"$work/plant.json")"
