#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `replay --what-if` says of a log stepped by hand, beside what coolplane did on the same plant, weather, load and
# seed: COOLPLANE_WHATIF_SITES seeds of load and instruments, the four seasons in turn (one in CI, 40 in full). The truth
# is the meters of both logs over the same hours.
. "$(dirname "$0")/lib.sh"
sites=${COOLPLANE_WHATIF_SITES:-1}
hours=${COOLPLANE_WHATIF_HOURS:-$([ "$sites" = 1 ] && echo 72 || echo 96)}
learn=29
"$BIN/coolplane-sim" serve --site tiny --print-site "$work/site" >"$work/print.log" 2>&1 || fail "no site"
seasons=(winter spring summer autumn)
: >"$work/results"
for ((k = 0; k < sites; k++)); do
  seed=$((${COOLPLANE_SEED:-41} + k / 4)) season=${seasons[k % 4]}
  rm -f "$work"/*.db* "$work/site.model"
  "$BIN/coolplane-sim" compare --site tiny --hours "$hours" --season "$season" --seed "$seed" --controllers b0h,c0 --log "$work" \
    --jobs "$([ "$sites" = 1 ] && echo 2 || echo 1)" >"$work/compare.log" 2>&1 || fail "no logs: $(cat "$work/compare.log")"
  "$BIN/coolplane" train --db "$work/b0h-$seed.db" --config "$work/site/site.yaml" --out "$work/site.model" --refit >"$work/train.log" 2>&1 ||
    fail "train: $(cat "$work/train.log")"
  "$BIN/coolplane" replay --config "$work/site/site.yaml" --log "$work/b0h-$seed.db" --out "$work/out.db" --what-if "$work/site.model" \
    --learn "$learn" --json >"$work/out.json" 2>"$work/out.log"
  rc=$?
  [ $rc = 0 ] || [ $rc = 4 ] || fail "seed $seed, $season: rc $rc: $(cat "$work/out.log")"
  python3 - "$work" "$seed" "$season" "$learn" >>"$work/results" <<'P' || fail "seed $seed, $season: no truth"
import json, sqlite3, sys
work, seed, season, learn = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
w = json.load(open(work + "/out.json"))["what_if"]
def drew_w(who, since_ms):
    """Mean power of each metered part of cooling."""
    rows = sqlite3.connect(f"{work}/{who}-{seed}.db").execute("""select avg(value) from sample join point on point.id = point_id
        where role in ('crah_power', 'chiller_power', 'pump_power', 'tower_power') and t_ms >= ? group by point_id""", (since_ms,))
    return sum(r[0] for r in rows)
first = sqlite3.connect(f"{work}/b0h-{seed}.db").execute("select min(t_ms) from sample").fetchone()[0]
closes = first + learn * 3600e3
truth = 1 - drew_w("c0", closes) / drew_w("b0h", closes)
def racks_kwh(who):
    rows = sqlite3.connect(f"{work}/{who}-{seed}.db").execute("""select avg(value), max(t_ms) from sample join point on point.id = point_id
        where role = 'rack_power' and t_ms >= ? group by point_id""", (closes,))
    return sum(r[0] * (r[1] - closes) for r in rows) / 3600e6
print(json.dumps({"it_more_kwh": racks_kwh("c0") - racks_kwh("b0h"), "it_most_kwh": w["servers_kwh_at_most"], "seed": seed, "season": season, "truth": truth, "result": w["result"], "said": w["saving_ratio"],
                  "low": w["low_ratio"], "high": w["high_ratio"], "robust": w["robust_ratio"]}))
P
done
python3 - "$work/results" <<'P' || fail "what-if and truth"
import json, sys
runs = [json.loads(l) for l in open(sys.argv[1])]
told = [r for r in runs if r["result"] == "told"]
for r in runs:
    said = f"{100 * r['said']:6.2f} % [{100 * r['low']:.2f}, {100 * r['high']:.2f}], robust {100 * r['robust']:.2f}" if r in told else r["result"]
    print(f"seed {r['seed']} {r['season']:6} truth {100 * r['truth']:6.2f} %, said {said}")
for r in told:
    print(f"seed {r['seed']} {r['season']:6} servers drew {r['it_more_kwh']:.1f} kWh more, said at most {r['it_most_kwh']:.1f}")
assert all(r["it_more_kwh"] < r["it_most_kwh"] for r in told)
held = sum(r["low"] <= r["truth"] <= r["high"] for r in told)
near = sum(abs(r["said"] - r["truth"]) <= 0.03 for r in told)
print(f"{len(told)} of {len(runs)} told: interval holds the truth in {held}, within 3 points {near}, "
      f"mean error {100 * sum(r['said'] - r['truth'] for r in told) / max(len(told), 1):+.2f} points, "
      f"mean half width {50 * sum(r['high'] - r['low'] for r in told) / max(len(told), 1):.2f}")
assert told and all(r["low"] < r["said"] < r["high"] for r in told)
assert held >= 0.9 * len(told) and sum(abs(r["said"] - r["truth"]) for r in told) < 0.02 * len(told)
assert sum(r["high"] - r["low"] for r in told) < 0.12 * len(told) # wider would say nothing
P
pass
