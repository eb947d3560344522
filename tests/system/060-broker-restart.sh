#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# R23: the broker stops and comes back: Modbus and the loop go on, MQTT samples flow again, the events say so.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 60
start_gate --mode live --explore 0s
start_planner
wait_for 60 '[ "$(status | field mqtt.samples || echo 0)" -gt 0 ]' || fail "no MQTT samples"
wait_for 5 '[ "$(sql "SELECT count(*) FROM v_events WHERE component = '"'mqtt'"'")" -gt 0 ]' || fail "no event for the connection"
stop_pid "$broker"
wait_for 60 '[ "$(status | field mqtt.connected)" = False ]' || fail "the loss is not noticed"
s=$(status | field step)
wait_for 60 "step_at_least $((s + 10))" || fail "the loop stopped without the broker"
n=$(status | field mqtt.samples)
start_broker "$mqtt"
wait_for 60 "[ \"\$(status | field mqtt.samples || echo 0)\" -gt $n ]" || fail "no MQTT samples after the restart"
"$BIN/coolplane" why latest --config "$config" >/dev/null || fail "why"
sql "SELECT text FROM v_events WHERE component = 'mqtt'" >"$work/events.txt"
grep -q 'broker lost' "$work/events.txt" || fail "no event for the loss"
pass
