#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of coolplaned at random instants; see kill9.py. COOLPLANE_KILLS (default 6; the full
# campaign is 200). 041 calls this for the hall.
. "$(dirname "$0")/lib.sh"
site=${1:-tiny}
kills=${COOLPLANE_KILLS:-6}
start_broker
start_plant "$site" 60
start_planner
seed=${COOLPLANE_SEED:-1}
echo "COOLPLANE_SEED=$seed"
python3 "$SRC/tests/system/kill9.py" "$BIN" "$config" "$db" 60 "$wall_ms:$start_ms" "$kills" "$seed" "$work/gate.log" || exit 1
# every decision has what it was made on, and its certificate is found again
bare=$(sql 'SELECT count(*) FROM decision WHERE id NOT IN (SELECT decision_id FROM evidence)')
[ "$bare" = 0 ] || fail "$bare decisions without their evidence"
"$BIN/coolplane" audit verify --config "$config" >"$work/audit.log" || fail "audit verify"
grep -q '^  not-rechecked *0$' "$work/audit.log" || fail "not everything can be re-checked"
stop_pid "$plant"
violations=$(field account.hard_violations_since_takeover <"$work/plant.json")
[ "$violations" = 0 ] || fail "$violations hard violations, orders against minimum times after a restart among them"
exit 0
