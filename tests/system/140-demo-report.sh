#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The demo's table: a row without VM moves, cooling per IT kWh, and no clean bill when a limit was broken before the day began.
. "$(dirname "$0")/lib.sh"
[ -f /usr/share/javascript/dygraphs/dygraph.min.js ] || skip "dygraphs is not installed"
in=$work/in
mkdir -p "$in/site"
sqlite3 "$in/site/coolplane.db" "CREATE TABLE v_decisions (t_ms, decision, reason); INSERT INTO v_decisions VALUES (5, 'ACCEPT', 'ok')"
echo '{"holdout": {}}' >"$in/model.json"
echo '{"site": "tiny", "planner": true}' >"$in/status.json"
"$BIN/coolplane-sim" compare --site tiny --hours 0.2 --warmup-hours 1 --controllers b0,b2,b2v,c0 --json >"$in/baselines.json" || fail "compare"
start_plant_once() { # account of a served plant, window of ten minutes
  "$BIN/coolplane-sim" serve --site tiny --seed 1 --base-port $((20000 + RANDOM % 12000)) --time-scale 3600 --account-from 0 \
    --run-for 600 --report "$in/plant.json" >"$work/sim.log" 2>&1
}
start_plant_once || start_plant_once || fail "the plant does not run"
report() { python3 "$SRC/sim/demo_report.py" "$in" 0 "$work/r.json" "$work/r.html" >"$work/out.txt" 2>"$work/err.txt"; }
report || fail "a clean run fails: $(cat "$work/err.txt")"
for text in 'coolplane, no VM moves ' 'cooling per IT kWh' 'coolplane, no VM moves against trim-and-respond' 'coolplane against the same, VMs packed' 'From take-over on'; do
  grep -q "$text" "$work/out.txt" || fail "no '$text' in: $(cat "$work/out.txt")"
  grep -q "$text" "$work/r.html" || fail "no '$text' on the page"
done
python3 - "$work/r.json" <<'PY' || fail "demo-report.json: $(cat "$work/r.json")"
import json, sys
rows = {r["controller"]: r for r in json.load(open(sys.argv[1]))["rows"]}
assert list(rows) == ["b0", "b2", "b2v", "c0", "c"]
for r in rows.values():
    assert abs(r["cooling_per_it_kwh"] - r["cooling_kwh"] / (r["it_kwh"] + r["it_fan_kwh"])) < 1e-4
PY
sed -i 's/"hard_violations_since_takeover":0/"hard_violations_since_takeover":3/
  s|"breaches":\[|&{"rule":"ordered off too soon after its start","at":"chiller-2","first":"2025-07-15T01:00:00.000Z","steps":3,"worst":12.5}|' "$in/plant.json"
report && fail "3 hard violations during identification pass for a clean run"
grep -q '3 hard violations' "$work/err.txt" && grep -q 'chiller-2: ordered off too soon .* 2025-07-15T01:00' "$work/err.txt" || fail "the violations are not named: $(cat "$work/err.txt")"
pass
