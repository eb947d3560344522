#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The verb end to end: no violation, the same figures side by side, one episode again, hostile proposals, what is broken on
# purpose ends with 3, refusals. The campaign itself: coolplane-sim certify --episodes 3000, --hostile 100000000.
. "$(dirname "$0")/lib.sh"
sim=$BIN/coolplane-sim
"$sim" certify --episodes 12 --hours 6 --hostile 150000 --json >"$work/a.json" || fail "certify"
"$sim" certify --episodes 12 --hours 6 --hostile 150000 --jobs 3 --json >"$work/b.json" || fail "certify, three at once"
"$sim" certify --episodes 1 --first-episode 7 --hours 6 --units 64 --json >"$work/c.json" || fail "one episode, 64 air handlers"
python3 - "$work" <<'PY' || fail "the figures"
import json, sys
a, b, c = (json.load(open(f"{sys.argv[1]}/{n}.json")) for n in "abc")
def timeless(x):
    if isinstance(x, dict):
        return {k: timeless(v) for k, v in x.items() if k not in ("filter_wall", "filter_processor", "per_second")}
    return [timeless(v) for v in x] if isinstance(x, list) else x
assert timeless(a) == timeless(b), "three at once give other figures"
s = a["all"]
assert s["episodes"] == 12 and s["steps"] == 12 * 720 and s["failed"] == 0
assert s["hard_violations"] == s["certificates_broken_within_assumptions"] == s["unfounded_moves"] == 0
assert not any(s["illegal"].values()) and not any(a["hostile"]["illegal"].values())
assert s["accept"] + s["project"] + s["hold"] + s["fallback"] == s["steps"]
assert sum(p["steps"] for p in a["proposers"]) == sum(p["steps"] for p in a["plant_noise"]) == s["steps"]
assert a["hostile"]["proposals"] == 150000 and s["filter_wall"]["mean_us"] > 0
assert c["all"]["steps"] == 720 and c["units"] == 64 and [p["plant"] for p in c["plant_noise"]] == ["upper"]
PY
"$sim" certify --episodes 10 --hours 3 --break filter >"$work/broken.txt"
[ $? = 3 ] || fail "a broken filter is called fine"
grep -q '^VIOLATION: --seed 1 --first-episode ' "$work/broken.txt" || fail "no way to repeat it: $(cat "$work/broken.txt")"
"$sim" certify --episodes 10 --hours 3 --break backup >/dev/null
[ $? = 3 ] || fail "a backup that does not come is called fine"
"$sim" certify --episodes 10 --hours 3 --break plant | grep -Eq '^(VIOLATION|outside)' || fail "a plant outside the set is not told"
"$sim" certify --strict --episodes 12 --hours 6 --json >"$work/strict.json" || fail "strict"
python3 - "$work/strict.json" <<'PY' || fail "the strict figures"
import json, sys
d = json.load(open(sys.argv[1]))
s = d["all"]
assert d["strict"] and s["failed"] == s["certificates_broken"] == s["hard_violations"] == 0 and s["certificates"] > s["steps"] / 2
PY
"$sim" certify --strict --episodes 10 --hours 3 --break noise >/dev/null
[ $? = 3 ] || fail "more noise than is known is called fine"
for bad in "--units 65" "--episodes x" "--break nothing" "--hours 0" extra; do
  "$sim" certify $bad 2>/dev/null
  [ $? = 2 ] || fail "certify $bad"
done
"$sim" certify --outside 8 --hours 6 --horizon 20 --break noise --strict 2>"$work/ignored.txt"
[ $? = 2 ] || fail "options that --outside ignores"
for name in hours horizon break strict; do
  grep -q -- "--$name says nothing to --outside" "$work/ignored.txt" || fail "--$name is not named: $(cat "$work/ignored.txt")"
done
"$sim" certify --outside 1 --episodes 1 --hours 1 >/dev/null || fail "--hours beside --outside"
pass
