#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every coolplane command of the README does what it says there; a command the README gains must be added here. demo.sh and
# test.sh are what runs this; import and replay need the data set and are 090's.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 120
covered='coolplane check-config|coolplane check-live|coolplane points list|coolplane points plan|coolplane status|coolplane why|coolplane import|coolplane replay|coolplaned --config|coolplane-planner --config|coolplane-sim compare'
unknown=$(grep -oE 'coolplane(d|-planner|-web|-sim)? (--config|[a-z]+[a-z-]*)( (list|plan|check|inspect))?' "$SRC/README.md" | sort -u |
  grep -E '^coolplane(-sim)? (check-config|check-live|points|status|why|import|replay|train|model|db|compare|serve|evaluate|savings)|--config' |
  grep -vE "^($covered)" || true)
[ -z "$unknown" ] || fail "README commands without a test here: $unknown"

"$BIN/coolplane" check-config "$config" || fail "check-config"
[ "$("$BIN/coolplane" points list --config "$config" | wc -l)" -gt 140 ] || fail "points list"
"$BIN/coolplane" points plan --config "$config" | grep -q '[0-9]' || fail "points plan"
"$BIN/coolplane" check-live --config "$config" "${time_args[@]}" >"$work/live.txt" || fail "check-live: $(grep '^device' "$work/live.txt")"
start_gate # as in the README: no --mode is shadow
start_planner
wait_for 30 'step_at_least 15' || fail "shadow makes no steps"
[ "$("$BIN/coolplane" status --config "$config" --json | field mode)" = SHADOW ] || fail "without --mode it is not shadow"
"$BIN/coolplane" status --config "$config" | grep -q SHADOW || fail "status does not show the mode"
"$BIN/coolplane" why latest --config "$config" | grep -qi 'what changed' || fail "why: $("$BIN/coolplane" why latest --config "$config" | head -5)"
"$BIN/coolplane-sim" compare --site tiny --hours 1 --warmup-hours 1 --controllers b0,b2 | grep -q '^b2' || fail "compare"
pass
