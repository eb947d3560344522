#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The explorers' verb end to end: rows that add up, the same figures twice, the reason for staying nominal, refusals.
. "$(dirname "$0")/lib.sh"
sim=$BIN/coolplane-sim
for n in a b; do
  "$sim" explore --units 4,16 --methods walk,greedy,ball,noise --seeds 3 --steps 600 --json >"$work/$n.json" || fail "explore"
done
python3 - "$work" <<'PY' || fail "the rows"
import json, sys
a, b = (json.load(open(f"{sys.argv[1]}/{n}.json"))["rows"] for n in "ab")
for r in a + b:
    r.pop("cpu_us_per_step")
assert a == b, "not the same figures twice"
assert len(a) == 2 * 3 * 4
row = {(r["units"], r["priors"], r["method"]): r for r in a}
for (units, priors, method), r in row.items():
    if method == "noise":
        assert r["violation_steps"] > 0 and r["certified_ratio"] == 0, r
        continue
    assert r["violation_steps"] == 0, r
    if priors == "no" or (priors, units) == ("wide", 16):
        assert r["nominal_seeds"] == 3 and r["moved_ratio"] == 0 and "not contracting" in r["nominal_reason"], r
greedy, ball = row[4, "yes", "greedy"], row[4, "yes", "ball"]
assert greedy["ball_steps_per_step"] == ball["steps_median"] / greedy["steps_median"] > 10
assert row[16, "yes", "greedy"]["reached"] == 3 and row[16, "yes", "ball"]["reached"] == 0
assert row[16, "yes", "greedy"]["ball_not_reached"]
PY
"$sim" explore --units 16 --methods walk --seeds 1 --steps 20 --priors wide >"$work/table.txt" || fail "the table"
grep -q '1 of 1 seeds stayed nominal: row sums of A not contracting' "$work/table.txt" || fail "no reason: $(cat "$work/table.txt")"
for wrong in '--units 0' '--units 65' '--units 4,' '--methods ball,x' '--priors maybe' '--seeds 0' '--ball-period 65' more; do
  # shellcheck disable=SC2086 # two words
  "$sim" explore $wrong >/dev/null 2>&1
  [ $? = 2 ] || fail "$wrong was not refused"
done
pass
