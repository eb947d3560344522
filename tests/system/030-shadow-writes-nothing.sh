#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# R15: an hour of shadow beside the plant's own controls: decisions are made and stored, and no write PDU leaves.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 200
start_gate --mode shadow
start_planner
wait_for 60 'step_at_least 120' || fail "120 control steps (an hour) do not come"
[ "$(status | field mode)" = SHADOW ] || fail "mode is $(status | field mode)"
stop_pid "$gate"
[ "$(wc -l <"$writes")" = 1 ] || fail "$(($(wc -l <"$writes") - 1)) write PDUs reached the plant"
at_least "decisions" "$(sql 'SELECT count(*) FROM v_decisions')" 120
at_least "proposals" "$(sql 'SELECT count(*) FROM v_decisions WHERE has_proposal')" 60
[ "$(sql "SELECT count(*) FROM v_actions WHERE result <> 'NOT_SENT'")" = 0 ] || fail "an action left in shadow"
[ "$(sql 'SELECT count(*) FROM v_actions WHERE outcome_time IS NULL')" = 0 ] || fail "actions without an outcome"
# what was recorded can be decided again, and always the same way; another span is another identity
for i in 1 2 3; do
  "$BIN/coolplane" replay --config "$config" --log "$db" --out "$work/out$i.db" --json \
    $([ $i = 3 ] && echo --to "$((start_ms + 1800000))") >"$work/replay$i.json" 2>"$work/replay.log" || fail "replay: $(cat "$work/replay.log")"
done
at_least "replayed steps" "$(field steps <"$work/replay1.json")" 115
[ "$(sqlite3 -readonly "$work/out1.db" 'SELECT sum(has_proposal) FROM decision')" -ge 100 ] || fail "the replay decides without proposals"
a=$(field decision_sha256 <"$work/replay1.json")
[ "$a" = "$(field decision_sha256 <"$work/replay2.json")" ] || fail "replayed twice, decided differently"
[ "$a" != "$(field decision_sha256 <"$work/replay3.json")" ] || fail "half the log gives the same identity"
pass "$(sql 'SELECT count(*) FROM v_decisions') decisions, 0 writes"
