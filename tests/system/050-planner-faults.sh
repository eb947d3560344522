#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The planner killed, stopped and replaced by one that sends nonsense: the loop goes on, limits hold, `why` names the reason.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 100
start_gate --mode live --explore 0s
wait_for 20 'status >"$work/status.json"' || fail "the gate does not answer"
stop_pid "$gate"
# a database that the gate has yet to upgrade, as between its migrations: the planner waits
newest=$(sql "SELECT max(version) FROM migration")
sqlite3 "$db" "DELETE FROM migration WHERE version = $newest"
start_planner
wait_for 10 'grep -q "waiting for the database: .*older than" "$work/planner.log"' || fail "the planner does not wait: $(cat "$work/planner.log")"
sqlite3 "$db" "INSERT INTO migration VALUES ($newest, 'again', 0, 0)"
start_gate --mode live --explore 0s
wait_for 60 'step_at_least 12' || fail "no steps"
# limits_held PHASE SINCE_MS: inlets were read in that phase, none above the allowable limit
limits_held() {
  local read
  read=$(sql "SELECT count(*) FROM v_samples WHERE point LIKE '%inlet%' AND quality = 'GOOD' AND unit = 'degC' AND t_ms >= $2")
  at_least "good inlet readings, $1" "$read" 50
  at_most "hottest inlet, $1" "$(sql "SELECT max(value) FROM v_samples WHERE point LIKE '%inlet%' AND quality = 'GOOD' AND t_ms >= $2")" 32
}
# says REASON TEXT SINCE_MS: `why` of a step since then that was decided for this reason names it and explains it
says() {
  local step
  step=$(sql "SELECT run || ':' || step FROM v_decisions WHERE reason = '$1' AND t_ms >= $3 ORDER BY id DESC LIMIT 1")
  [ -n "$step" ] || fail "no decision for the reason $1"
  "$BIN/coolplane" why "$step" --config "$config" >"$work/why.txt" || fail "why $step"
  grep -q "^decision: .*$1" "$work/why.txt" && grep -q "$2" "$work/why.txt" || fail "why $step does not say $1: $(cat "$work/why.txt")"
}
why() { "$BIN/coolplane" why latest --config "$config"; }
goes_on() { # 12 more steps: 6 min of plant time, longer than HOLD may last
  local s
  s=$(status | field step)
  wait_for 60 "step_at_least $((s + 12))" || fail "the loop stopped: $1"
}

since=$(now_plant_ms)
kill -KILL "$planner"; wait "$planner" 2>/dev/null
goes_on "planner killed"
why >"$work/why.txt"
grep -q 'no-proposal' "$work/why.txt" || fail "why does not say that the planner is gone: $(cat "$work/why.txt")"
limits_held "planner killed" "$since"
[[ $(status | field mode) =~ ^(HOLD|FALLBACK)$ ]] || fail "mode is $(status | field mode) without a planner"

start_planner
wait_for 60 '[ "$(status | field mode)" = ACTIVE ]' || fail "not ACTIVE again with a new planner"
since=$(now_plant_ms)
kill -STOP "$planner"
goes_on "planner stopped"
why | grep -q -e no-proposal || fail "why does not say that the planner is silent: $(why)"
[[ $(status | field mode) =~ ^(HOLD|FALLBACK)$ ]] || fail "mode is $(status | field mode) with a stopped planner"
limits_held "planner stopped" "$since"
kill -KILL "$planner"; wait "$planner" 2>/dev/null

since=$(now_plant_ms)
"$BIN/nonsense_planner" "$work/site/run/planner.sock" "${COOLPLANE_SEED:-1}" 60 >"$work/nonsense.log" 2>&1 &
nonsense=$!
pids+=("$nonsense")
goes_on "nonsense planner"
goes_on "nonsense planner"
at_least "malformed proposals" "$(status | field decisions.malformed)" 1
says malformed 'what the planner sent was not a proposal' "$since"
says not-finite 'held NaN or infinity' "$since"
limits_held "nonsense planner" "$since"
stop_pid "$gate"
stop_pid "$plant"
[ "$(sql "SELECT count(*) FROM v_setpoints s JOIN point p ON p.id = s.point_id WHERE s.action IS NULL")" = 0 ] ||
  fail "a decision holds no number"
[ "$(field account.hard_violations <"$work/plant.json")" = 0 ] || fail "hard violations: $(field account.hard_violations <"$work/plant.json")"
pass "hottest inlet $(field account.max_inlet_c <"$work/plant.json")"
