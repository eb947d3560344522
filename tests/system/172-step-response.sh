#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The plant looked at from outside, three sites, two seeds each: what ARCHITECTURE.md says that a reader should check first.
. "$(dirname "$0")/lib.sh"
for site in tiny hall campus; do
  for seed in 1 2; do
    "$BIN/coolplane-sim" step-response --site $site --seed $seed --json >"$work/r.json" || fail "step-response of $site"
    python3 - "$work/r.json" <<'P' || fail "$site, seed $seed: $(cat "$work/r.json")"
import json, sys
r = json.load(open(sys.argv[1]))
sweep = r["sweep"]
best = min(sweep, key=lambda p: p["total_kwh"])
ok = {
    "63 % of a supply-air step in minutes": 60 <= r["supply_air_t63_s"] <= 900,
    "warmer chilled water: -4 to -1 % a kelvin": -4 <= r["chiller_pct_per_k_chwst"] <= -1,
    "warmer condenser water: 1 to 4.5 % a kelvin": 1 <= r["chiller_pct_per_k_cwst"] <= 4.5,
    # ten kilowatts a rack last a minute or two; the time goes with the power
    "32 °C without cooling": 30 <= r["overheat_s"] * r["rack_kw"] / 10 <= 150,
    "energy closes": r["energy_residual_ratio"] < 0.005,
    "the best supply air lies between the ends": sweep[0] is not best and sweep[-1] is not best,
    "and is what the sweep says": best["supply_air_c"] == r["best_supply_air_c"],
}
bad = [k for k, v in ok.items() if not v]
print(bad)
sys.exit(bool(bad))
P
  done
done
pass
