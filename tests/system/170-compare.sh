#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The yardstick end to end: rows that add up, the same figures twice, two cells and their sum, a page, databases of every
# run, an interrupted campaign, faults and VMs that come and go, refusals.
. "$(dirname "$0")/lib.sh"
sim=$BIN/coolplane-sim
"$sim" compare --site tiny --hours 3 --warmup-hours 2 --seeds 2 --season winter --season summer --controllers b0,b1,b2,b2s \
  --json --html "$work/r.html" >"$work/a.json" || fail "compare"
"$sim" compare --site tiny --hours 3 --warmup-hours 2 --seeds 2 --season winter --season summer --controllers b0,b1,b2,b2s \
  --jobs 3 --json >"$work/b.json" || fail "compare again, three at once"
python3 - "$work" <<'PY' || fail "the rows"
import json, sys
a, b = (json.load(open(f"{sys.argv[1]}/{n}.json"))["rows"] for n in "ab")
for r in a + b:
    r.pop("cpu_s")
assert a == b, "not the same figures twice, or not three at once"
cells = {}
for r in a:
    cells.setdefault(r["season"], {})[r["controller"]] = r
    assert abs(r["chiller_kwh"] + r["pump_kwh"] + r["tower_kwh"] + r["crah_fan_kwh"] - r["cooling_kwh"]) < 1e-6, r
    assert abs(r["cooling_kwh"] + r["it_kwh"] + r["it_fan_kwh"] - r["total_kwh"]) < 1e-6, r
    assert r["energy_residual_ratio"] < 0.005 and r["hard_violations"] == 0, r
    assert r["ci95_low"] is None and r["ci95_high"] is None, r  # two seeds tell no interval
assert list(cells) == ["winter", "summer", "all"]
for c in cells.values():
    assert sorted(r["rank"] for r in c.values()) == [1, 2, 3, 4]
    assert c["b2"]["saving_total_pct"] == 0
    assert c["b2s"]["total_kwh"] < c["b0"]["total_kwh"] and c["b2s"]["max_inlet_c"] <= 27
for name, r in cells["all"].items():
    assert abs(r["total_kwh"] - cells["winter"][name]["total_kwh"] - cells["summer"][name]["total_kwh"]) < 1e-6
PY
[ "$(grep -o '<svg' "$work/r.html" | wc -l)" = 48 ] || fail "the page has not six plots for each controller and season"
grep -q 'http' "$work/r.html" && fail "the page refers to something outside"
"$sim" compare --site tiny --hours 0.5 --warmup-hours 1 --controllers b2,b3,b4 >"$work/table.txt" || fail "compare b3,b4"
grep -q '^b3 ' "$work/table.txt" && grep -q '^b4 ' "$work/table.txt" || fail "no b3 or b4: $(cat "$work/table.txt")"
"$sim" compare --site tiny --hours 0.5 --warmup-hours 1 --controllers b3,c0 --json | python3 -c '
import json, sys
for r in json.load(sys.stdin)["rows"]:
    assert sum(r["decisions"].values()) == 60, r["decisions"]' || fail "not one decision every 30 s"
rows() { # FILE...: the same rows but for the time they took
  python3 -c '
import json, sys
all = [json.load(open(f))["rows"] for f in sys.argv[1:]]
for rows in all:
    for r in rows:
        r.pop("cpu_s")
sys.exit(any(rows != all[0] for rows in all))' "$@"
}
# every run's telemetry, which changes no row; the CLI reads it; nobody learns from an earlier run of the same day
day="--site tiny --hours 0.5 --warmup-hours 1 --controllers b0,b2v,c0 --json"
mkdir "$work/log"
# shellcheck disable=SC2086
"$sim" compare $day >"$work/plain.json" && "$sim" compare $day --log "$work/log" >"$work/logged.json" || fail "compare --log"
rows "$work/plain.json" "$work/logged.json" || fail "a log changes the rows"
"$sim" serve --site tiny --print-site "$work/site" || fail "print-site"
for c in b0 b2v c0; do
  "$BIN/coolplane" replay --config "$work/site/site.yaml" --log "$work/log/$c-1.db" --out "$work/out-$c.db" --json >"$work/replay.json" || fail "replay of $c"
  python3 -c 'import json, sys; sys.exit(json.load(open(sys.argv[1]))["steps"] < 80)' "$work/replay.json" || fail "replay of $c: $(cat "$work/replay.json")"
done
# shellcheck disable=SC2086
"$sim" compare $day --log "$work/log" >/dev/null 2>"$work/twice.err" && fail "reopens a database"
grep -q "b0-1.db exists" "$work/twice.err" || fail "does not say which database exists: $(cat "$work/twice.err")"
# a campaign that was interrupted in the middle of a line: the rest is run, what was added too, and the result is that of one call
campaign="compare --site tiny --hours 1 --warmup-hours 1 --json"
# shellcheck disable=SC2086
{
  "$sim" $campaign --seeds 2 --controllers b0,b2 --resume "$work/c.jsonl" >/dev/null || fail "compare --resume"
  head -c -100 "$work/c.jsonl" >"$work/cut.jsonl"
  "$sim" $campaign --seeds 3 --controllers b0,b2 --season winter --season summer --jobs 2 --resume "$work/cut.jsonl" >"$work/on.json" || fail "going on"
  "$sim" $campaign --seeds 3 --controllers b0,b2 --season winter --season summer --resume "$work/cut.jsonl" >"$work/again.json" || fail "nothing to do"
  "$sim" $campaign --seeds 3 --controllers b0,b2 --season winter --season summer >"$work/one.json" || fail "in one call"
  "$sim" $campaign --hours 2 --controllers b0 --resume "$work/cut.jsonl" >/dev/null 2>&1 && fail "goes on with other options"
  [ "$(wc -l <"$work/cut.jsonl")" = 13 ] || fail "not one line a run"
}
rows "$work/on.json" "$work/again.json" "$work/one.json" || fail "an interrupted campaign ends otherwise"
# faults and VMs that come and go, the same for all
"$sim" compare --site tiny --hours 0.5 --warmup-hours 0.5 --controllers b0,b2,c0 --json >"$work/sound.json" || fail "compare"
"$sim" compare --site tiny --hours 0.5 --warmup-hours 0.5 --controllers b0,b2,c0 --fault crah-fail:0@600 --fault 2026-07-15T00:30:00Z >/dev/null 2>&1 && fail "takes a fault without a name"
"$sim" compare --site tiny --hours 0.5 --warmup-hours 0.5 --controllers b0,b2,c0 --fault clear@2026-07-15T00:20:00Z --fault crah-fail:0@300 --json >"$work/fault.json" || fail "compare --fault"
"$sim" compare --site tiny --hours 0.5 --warmup-hours 1 --controllers b2,b2v --arrivals synthetic --json >"$work/come.json" || fail "compare --arrivals"
python3 - "$work" <<'PY' || fail "faults or arrivals"
import json, sys
sound, fault, come = ({r["controller"]: r for r in json.load(open(f"{sys.argv[1]}/{n}.json"))["rows"]} for n in ("sound", "fault", "come"))
for c in sound:
    more = fault[c]["max_rise_15min_k"] - sound[c]["max_rise_15min_k"]
    assert more > 0.2 if c != "c0" else more != 0, (c, more)  # c0 has just identified the plant, and moves by itself
assert come["b2"]["it_kwh"] != sound["b2"]["it_kwh"] and come["b2v"]["migrations"] > 0 and come["b2"]["migrations"] == 0
PY
for bad in "--controllers b9" "--log /nonexistent" "--fault crah-fail:99@600" "--fault crah-fail:0@601" "--fault crah-fail:0@7200" "--fault refuse:crah-1@60" "--fault crah-fail:0@60 --controllers b2s" "--arrivals /nonexistent" "--resume /nonexistent/c" "--resume $work/c.jsonl --log $work" "--controllers b0,b0" "--season monsoon" "--seeds 0" "--jobs 0" "--weather /nonexistent.epw" "--jobs 2 --weather /nonexistent.epw"; do
  # shellcheck disable=SC2086
  "$sim" compare --site tiny --hours 0.1 --warmup-hours 0 $bad >/dev/null 2>&1 && fail "accepts $bad"
done
"$sim" compare --site tiny --hours 0.1 --warmup-hours 0 --controllers b0 --html /nonexistent/r.html >/dev/null 2>&1 && fail "an unwritable page is no error"
echo mine >"$work/notes.html" && ! "$sim" compare --site tiny --hours 0.1 --warmup-hours 0 --controllers b0 --html "$work/notes.html" >/dev/null 2>"$work/notes.log" && [ "$(cat "$work/notes.html")" = mine ] || fail "a page in the place of other text"
grep -q 'notes.html exists and is not a page' "$work/notes.log" || fail "it does not say what is there: $(cat "$work/notes.log")"
"$sim" compare --site tiny --hours 0.1 --warmup-hours 0 --controllers b0 --html "$work/r.html" >/dev/null 2>&1 || fail "a page is not made anew"
# the tuning of the baselines, cut down: every point of the grid in the table, and the best is the least of them
for controller in b1 b2; do
  COOLPLANE_TUNE_SMALL=1 "$sim" tune --site tiny --controller $controller >"$work/tune.txt" || fail "tune $controller"
  python3 - "$work/tune.txt" <<'PY' || fail "tune $controller: $(cat "$work/tune.txt")"
import re, sys
lines = open(sys.argv[1]).read().splitlines()
n = len(lines[1].split()) - 5  # coordinates
points = lines[2:-1]
assert len(points) >= 30, len(points)
best = [float(v) for v in re.findall(r"[a-z0-9_]+ (-?[0-9.]+)(?:,|;)", lines[-1])][:n]
fair = {}
for l in points:
    cols = [float(x) for x in re.findall(r"(?<=\s)-?[0-9.]+(?=\s|$)", l[22:])]
    if "too warm" not in l:
        fair[tuple(cols[:n])] = cols[n] + 2 * cols[n + 3]
assert fair[tuple(best)] <= min(fair.values()) + 0.06, (best, fair)
PY
done
"$sim" tune --controller b0 >/dev/null 2>&1 && fail "tunes b0"
pass
