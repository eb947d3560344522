#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The planner killed, stopped and replaced by one that sends nonsense: the loop goes on, limits hold, `why` names the reason.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 100
start_gate --mode live --explore 0s
start_planner
wait_for 60 'step_at_least 12' || fail "no steps"
why() { "$BIN/coolplane" why latest --config "$config"; }
goes_on() { # 12 more steps: 6 min of plant time, longer than HOLD may last
  local s
  s=$(status | field step)
  wait_for 60 "step_at_least $((s + 12))" || fail "the loop stopped: $1"
}

kill -KILL "$planner"; wait "$planner" 2>/dev/null
goes_on "planner killed"
why >"$work/why.txt"
grep -q 'no-proposal' "$work/why.txt" || fail "why does not say that the planner is gone: $(cat "$work/why.txt")"
[[ $(status | field mode) =~ ^(HOLD|FALLBACK)$ ]] || fail "mode is $(status | field mode) without a planner"

start_planner
wait_for 60 '[ "$(status | field mode)" = ACTIVE ]' || fail "not ACTIVE again with a new planner"
kill -STOP "$planner"
goes_on "planner stopped"
why | grep -q -e no-proposal || fail "why does not say that the planner is silent: $(why)"
[[ $(status | field mode) =~ ^(HOLD|FALLBACK)$ ]] || fail "mode is $(status | field mode) with a stopped planner"
kill -KILL "$planner"; wait "$planner" 2>/dev/null

"$BIN/nonsense_planner" "$work/site/run/planner.sock" "${COOLPLANE_SEED:-1}" 60 >"$work/nonsense.log" 2>&1 &
nonsense=$!
pids+=("$nonsense")
goes_on "nonsense planner"
goes_on "nonsense planner"
at_least "malformed proposals" "$(status | field decisions.malformed)" 1
for r in malformed not-finite; do
  at_least "decisions that name the reason $r" "$(sql "SELECT count(*) FROM v_decisions WHERE reason = '$r'")" 1
done
stop_pid "$gate"
stop_pid "$plant"
[ "$(sql "SELECT count(*) FROM v_setpoints s JOIN point p ON p.id = s.point_id WHERE s.action IS NULL")" = 0 ] ||
  fail "a decision holds no number"
[ "$(field account.hard_violations <"$work/plant.json")" = 0 ] || fail "hard violations: $(field account.hard_violations <"$work/plant.json")"
pass "hottest inlet $(field account.max_inlet_c <"$work/plant.json")"
