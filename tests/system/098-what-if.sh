#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `replay --what-if`: a log of loops that never move a setpoint is refused by name (exit 4); a log in which coolplane itself
# acted and explored, replayed under coolplane, tells a saving near nothing; model files of others are refused.
. "$(dirname "$0")/lib.sh"
need sqlite3
"$BIN/coolplane-sim" compare --site tiny --hours 34 --warmup-hours 4 --controllers b0,c0 --log "$work" >"$work/compare.log" 2>&1 || fail "no log: $(cat "$work/compare.log")"
"$BIN/coolplane-sim" serve --site tiny --print-site "$work/site" >"$work/print.log" 2>&1 || fail "no site"
config=$work/site/site.yaml
for who in b0 c0; do
  "$BIN/coolplane" train --db "$work/$who-1.db" --config "$config" --out "$work/$who.model" --refit >"$work/train.log" 2>&1 || fail "train $who: $(cat "$work/train.log")"
done
"$BIN/coolplane" train --db "$work/c0-1.db" --config "$config" --out "$work/none.model" --lags 0 2>"$work/train.log"
[ $? = 2 ] && grep -q "^coolplane train: --lags takes a whole number from 1 to 20, not '0'" "$work/train.log" || fail "--lags 0: $(cat "$work/train.log")"
what_if() { # CODE WHO MODEL [options]
  rm -f "$work/out.db"*
  "$BIN/coolplane" replay --config "$config" --log "$work/$2-1.db" --out "$work/out.db" --what-if "$3" --learn 8 "${@:4}" >"$work/out.txt" 2>"$work/out.log"
  local rc=$?
  [ $rc = "$1" ] || fail "${*:2} ends with $rc, not $1: $(cat "$work/out.txt" "$work/out.log")"
}
what_if 4 b0 "$work/b0.model"
grep -q '^no saving is told (no-excitation): we would hold ' "$work/out.txt" || fail "no reason: $(cat "$work/out.txt")"
what_if 4 b0 "$work/b0.model" --json
python3 - "$work/out.txt" <<'P' || fail "JSON of a refusal: $(cat "$work/out.txt")"
import json, sys
w = json.load(open(sys.argv[1]))["what_if"]
assert w["result"] == "no-excitation" and w["why"] and w["saving_ratio"] is None and w["steps"] > 2880, w
assert w["low_ratio"] is None and w["energy"]["chillers"]["modelled_ours_kwh"] is None and w["energy"]["chillers"]["measured_kwh"] > 10, w
P
what_if 0 c0 "$work/c0.model" --json
python3 - "$work/out.txt" <<'P' || fail "coolplane's own log: $(cat "$work/out.txt")"
import json, sys
d = json.load(open(sys.argv[1]))
w = d["what_if"]
assert d["steps"] > 4000 and w["result"] == "told" and w["steps_unknown"] == 0 and w["breaks"] == 0, d
assert w["members_low_ratio"] <= w["saving_ratio"] <= w["members_high_ratio"] and abs(w["saving_ratio"]) < 0.03, w
assert w["low_ratio"] <= w["members_low_ratio"] and w["members_high_ratio"] <= w["high_ratio"] and w["transfer_ratio"] >= 0, w
assert w["hottest_inlet_c"] < 27.5, w
assert abs(w["inlet_rise_k"]) < 1 and w["servers_kwh_at_most"] >= 0 and w["low_with_servers_ratio"] <= w["low_ratio"], w
print("own log: saving %.2f %%, interval %.2f to %.2f %%" % (100 * w["saving_ratio"], 100 * w["low_ratio"], 100 * w["high_ratio"]))
P
# one sample each of a wrong clock, long before, ahead, and a little ahead: left out and told, and nothing else is another
mv "$work/out.txt" "$work/plain.json"
cp "$work/c0-1.db" "$work/clock-1.db"
sqlite3 "$work/clock-1.db" "INSERT INTO sample (t_ms, point_id, value, raw, quality, reason) SELECT t, (SELECT min(point_id) FROM sample), 20, 20, 0, 0 FROM
  (SELECT 915148800000 AS t UNION SELECT 4070908800000 UNION SELECT max(t_ms) + 182 * 86400000 FROM sample)" || fail "cannot spoil the clock"
"$BIN/coolplane" train --db "$work/clock-1.db" --config "$config" --out "$work/clock.model" --refit --json >"$work/train.txt" 2>"$work/train.log" || fail "train clock: $(cat "$work/train.log")"
what_if 0 clock "$work/clock.model" --json
for log in "$work/train.log" "$work/out.log"; do
  grep -q ': .*clock-1.db: left out: 3 samples of .*, 1999-01-01T00:00:00.000Z to 2099-01-01T00:00:00.000Z, .* from all others: a wrong clock?$' "$log" || fail "what is left out is not told: $(cat "$log")"
done
python3 - "$work/plain.json" "$work/out.txt" "$work/train.txt" <<'P' || fail "a wrong clock: $(cat "$work/plain.json" "$work/out.txt")"
import json, sys
plain, clock, train = (json.load(open(f)) for f in sys.argv[1:])
assert plain["left_out"] == {"samples": None, "decisions": None} and plain["samples"] >= plain["samples_good"] > 0, plain["left_out"]
assert clock["left_out"]["samples"]["rows"] == train["left_out"]["samples"]["rows"] == 3, clock["left_out"]
for d in plain, clock:
    del d["left_out"], d["speedup"]
assert plain == clock
P
# one log that hardly holds a good sample says so; one of damaged pages is data, whoever reads it
cp "$work/b0-1.db" "$work/bad-1.db"
sqlite3 "$work/bad-1.db" "UPDATE sample SET quality = 2 WHERE t_ms > (SELECT min(t_ms) + 3600000 FROM sample)" || fail "cannot spoil the samples"
"$BIN/coolplane" replay --config "$config" --log "$work/bad-1.db" --out "$work/bad-out.db" >"$work/bad.txt" 2>"$work/bad.log" || fail "a log of bad samples: $(cat "$work/bad.log")"
grep -q '^coolplane replay: only [0-9]* of [0-9]* samples are good (2.* %)' "$work/bad.log" || fail "nothing is said of bad samples: $(cat "$work/bad.log")"
python3 - "$work/bad-1.db" <<'P'
import sys
f = open(sys.argv[1], "r+b")
n = f.seek(0, 2) // 4096
for k in range(n // 4, n, n // 40):
    f.seek(4096 * k)
    f.write(b"\xa5" * 4096)
P
for verb in "replay --log $work/bad-1.db --out $work/none.db" "train --db $work/bad-1.db --out $work/none.model" "savings --db $work/bad-1.db --baseline shadow" "evaluate --db $work/bad-1.db"; do
  "$BIN/coolplane" $verb --config "$config" >"$work/bad.txt" 2>"$work/bad.log"
  [ $? = 65 ] && grep -q 'malformed' "$work/bad.log" && ! grep -q 'Structure' "$work/bad.log" || fail "$verb of a damaged log: $(cat "$work/bad.log")"
done
what_if 0 c0 "$work/c0.model"
grep -q '^cooling, metered ' "$work/out.txt" && grep -q '^  corrected by the log' "$work/out.txt" || fail "no saving in words: $(cat "$work/out.txt")"
# its readings are a model's: no figures of the plant are made of them
"$BIN/coolplane" evaluate --config "$config" --db "$work/out.db" --log "$work/c0-1.db" --html "$work/page.html" >"$work/evaluate.txt" 2>&1
[ $? = 4 ] && [ ! -e "$work/page.html" ] && grep -q "out.db is a what-if: its readings are a model's" "$work/evaluate.txt" || fail "evaluate of a what-if: $(cat "$work/evaluate.txt")"
"$BIN/coolplane" why --db "$work/out.db" | grep -q '^as modelled, not measured' || fail "why of a what-if"
"$BIN/coolplane" why --db "$work/out.db" --json | python3 -c 'import json, sys; d = json.load(sys.stdin); assert d["what_if"] and d["ended"]' || fail "why --json of a what-if"
"$BIN/coolplane" replay --config "$config" --log "$work/c0-1.db" --out "$work/plain.db" >"$work/plain.txt" 2>&1 || fail "a plain replay: $(cat "$work/plain.txt")"
"$BIN/coolplane" replay --diff "$work/plain.db" "$work/out.db" >"$work/diff.txt" 2>&1
grep -A1 '^B  ' "$work/diff.txt" | grep -q '^   a what-if: readings as modelled' || fail "--diff names no what-if: $(cat "$work/diff.txt")"
"$BIN/coolplane" replay --diff "$work/plain.db" "$work/out.db" --json | python3 -c 'import json, sys; d = json.load(sys.stdin); assert d["what_if"] == [False, True] and d["ended"] == [True, True]' || fail "--diff --json names no what-if"
# a model of a part of the log, of another log of the same days, of a version that does not tell: refused with the cause and the command
"$BIN/coolplane" train --db "$work/c0-1.db" --config "$config" --out "$work/part.model" >"$work/train.log" 2>&1 || fail "train: $(cat "$work/train.log")"
python3 - "$work/c0.model" "$work/old.model" <<'P' || fail "cannot make an old file"
import struct, sys, zlib
b = open(sys.argv[1], "rb").read()
assert b[:4] == b"CPMD" and struct.unpack_from("<I", b, 4)[0] == 2
b = b[:4] + struct.pack("<I", 1) + b[8:-28]
open(sys.argv[2], "wb").write(b + struct.pack("<I", zlib.crc32(b)))
P
while read -r model words; do
  what_if 65 c0 "$work/$model"
  grep -q "$words" "$work/out.log" && grep -q "coolplane train --db $work/c0-1.db --config $config --refit --out $work/$model" "$work/out.log" || fail "$model: $(cat "$work/out.log")"
  [ ! -e "$work/out.db" ] || fail "$model leaves a database"
done <<'M'
part.model was trained without --refit
b0.model was trained on another log than this one: from 20.* it has [0-9]* samples
old.model of an earlier version
M
"$BIN/coolplane" model inspect "$work/old.model" | grep -q '^refit  *not known' && "$BIN/coolplane" model inspect "$work/part.model" | grep -q '^refit  *no$' || fail "model inspect does not tell"
# a model of the first half of the log, refitted on all of that: refused with both spans; of no more than it knows, it serves
first=$(sqlite3 -readonly "$work/c0-1.db" 'SELECT min(t_ms) FROM sample')
half=$(sqlite3 -readonly "$work/c0-1.db" 'SELECT (min(t_ms) + max(t_ms)) / 2 FROM sample')
"$BIN/coolplane" train --db "$work/c0-1.db" --config "$config" --to "$half" --refit --out "$work/half.model" >"$work/train.log" 2>&1 || fail "train half: $(cat "$work/train.log")"
what_if 65 c0 "$work/half.model"
grep -q "half.model was trained on a part of what is replayed: it knows 20.* to 20.*, and the replay is of 20.* to 20.*\. Train it on this log: coolplane train --db $work/c0-1.db .* --refit --out $work/half.model" "$work/out.log" || fail "half: $(cat "$work/out.log")"
[ ! -e "$work/out.db" ] || fail "half.model leaves a database"
what_if 4 c0 "$work/half.model" --to $((first + 7200000))
# too little of it: what --learn took is named, and nothing is no number
what_if 4 c0 "$work/c0.model" --to "$(sqlite3 -readonly "$work/c0-1.db" 'SELECT min(t_ms) + 7200000 FROM sample')"
grep -q 'too-short): 0 steps .*--learn' "$work/out.txt" && ! grep -qi '\bnan\b' "$work/out.txt" || fail "too short: $(cat "$work/out.txt")"
# what is no model file, what is not there, what is of another site
what_if 65 c0 "$config"
what_if 69 c0 "$work/none.model"
sed 's/inlet_allowable: 32/inlet_allowable: 31/' "$config" >"$work/site/other.yaml"
config=$work/site/other.yaml
what_if 65 c0 "$work/c0.model"
grep -q 'another configuration' "$work/out.log" || fail "a model of another configuration: $(cat "$work/out.log")"
