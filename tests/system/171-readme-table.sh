#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The README's table of four weeks is what its runs came to, each of them kept in tests/data/readme-28-days.jsonl (what
# `compare --resume` wrote, without the traces of the plots; running them takes more than two hours of two cores).
. "$(dirname "$0")/lib.sh"
python3 - "$SRC/README.md" "$SRC/tests/data/readme-28-days.jsonl" <<'PY' || fail "the README's table and its runs differ"
import json, re, sys
text = open(sys.argv[1], encoding="utf-8").read()
lines = [json.loads(l) for l in open(sys.argv[2], encoding="utf-8")]
assert lines[0]["options"].startswith("site hall, 672 h"), lines[0]
seeds = int(re.search(r"compare --site hall --days 28 --seeds (\d+)", text)[1])
places = re.search(r"^    cooling \| total, MWh +(.*)$", text, re.M)[1].split()
run = {}
for r in lines[1:]:
    place = next(p for p in places if p in r["weather"])
    assert (place, r["controller"], r["seed"]) not in run, "a run twice"
    run[place, r["controller"], r["seed"]] = r["account"]
mean = lambda place, who, key: sum(run[place, who, s][key] for s in range(1, seeds + 1)) / seeds
checked = 0
for row in re.findall(r"^    .*\((b0|b1|b2s|b2v|b2|b4|c)\) +((?:[\d.]+ \| [\d.]+ *){4})$", text, re.M):
    for place, cell in zip(places, re.findall(r"([\d.]+) \| ([\d.]+)", row[1])):
        want = tuple(f"{mean(place, row[0], k) / 1e3:.1f}" for k in ("cooling_kwh", "total_kwh"))
        assert cell == want, (row[0], place, cell, want)
        checked += 1
assert checked == 28, checked
saves = re.search(r"^    c saves on b2v, % of total +(.*)$", text, re.M)[1]
saves = re.findall(r"(-?[\d.]+) \[", saves)
assert len(saves) == 4, saves
for place, saved in zip(places, saves):
    assert saved == f"{100 * (1 - mean(place, 'c', 'total_kwh') / mean(place, 'b2v', 'total_kwh')):.2f}", (place, saved)
worst = max(run[p, "c", s]["max_inlet_c"] for p in places for s in range(1, seeds + 1))
assert f"coolplane's hottest inlet is {worst:.2f} °C" in text, worst
starts = [[f"{f([mean(p, who, 'chiller_starts') for p in places]):.0f}" for f in (min, max)] for who in ("c", "b2v")]
assert "starts a chiller {} to {} times in\nthe four weeks, `b2v` {} to {} times".format(*starts[0], *starts[1]) in text, starts
mine = [a for (place, who, seed), a in run.items() if seed <= seeds]
assert len(mine) == 28 * seeds and sum(a["hard_violations"] for a in mine) == 0 and max(a["energy_residual_ratio"] for a in mine) < 0.005
PY
pass "$(grep -c controller "$SRC/tests/data/readme-28-days.jsonl") runs"
