#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# R15: an hour of shadow beside the plant's own controls: decisions are made and stored, and no write PDU leaves.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 300
start_gate --mode shadow
start_planner
wait_for 30 'step_at_least 120' || fail "120 control steps (an hour) do not come"
[ "$(status | field mode)" = SHADOW ] || fail "mode is $(status | field mode)"
stop_pid "$gate"
[ "$(wc -l <"$writes")" = 1 ] || fail "$(($(wc -l <"$writes") - 1)) write PDUs reached the plant"
at_least "decisions" "$(sql 'SELECT count(*) FROM v_decisions')" 120
at_least "proposals" "$(sql "SELECT count(*) FROM v_decisions WHERE reason <> 'no proposal'")" 60
[ "$(sql "SELECT count(*) FROM v_actions WHERE result <> 'NOT_SENT'")" = 0 ] || fail "an action left in shadow"
pass "$(sql 'SELECT count(*) FROM v_decisions') decisions, 0 writes"
