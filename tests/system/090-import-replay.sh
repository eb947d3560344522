#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real log (LBNL, 15 days of an air handler): every row accounted for, replay twice gives the same decisions, and the
# model trained on the first 70 % beats persistence on the rest.
. "$(dirname "$0")/lib.sh"
data=${COOLPLANE_DATA:-$SRC/../shared/data}
log=$data/telemetry/lbnl_fdd_MZVAV-2-1.csv
[ -f "$log" ] || skip "COOLPLANE_DATA has no telemetry/lbnl_fdd_MZVAV-2-1.csv"
example=$SRC/deploy/examples/ahu-mzvav
"$BIN/coolplane" import "$log" --map "$example/import.yaml" --db "$work/ahu.db" --json >"$work/import.json" 2>"$work/import.log" ||
  fail "import: $(tail -n 3 "$work/import.log")"
[ "$(python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); d=d["files"] if isinstance(d, dict) else d; print(d[0]["rows"])' "$work/import.json")" = 21600 ] ||
  fail "rows: $(cat "$work/import.json")"
for i in 1 2; do
  "$BIN/coolplane" replay --config "$example/site.yaml" --log "$work/ahu.db" --out "$work/out$i.db" --json >"$work/replay$i.json" \
    2>"$work/replay.log" || fail "replay $i: $(tail -n 3 "$work/replay.log")"
done
a=$(field decision_sha256 <"$work/replay1.json") b=$(field decision_sha256 <"$work/replay2.json")
[ -n "$a" ] && [ "$a" = "$b" ] || fail "decision_sha256 differs: $a $b"
at_least "steps" "$(field steps <"$work/replay1.json")" 20000
decided=$(sqlite3 -readonly "$work/out1.db" 'SELECT count(*) FROM decision')
[ "$decided" = "$(field steps <"$work/replay1.json")" ] || fail "$decided decisions in $(field steps <"$work/replay1.json") steps"
at_least "accepted proposals" "$(field accept <"$work/replay1.json")" 10000
# the same log where nothing may be commanded: the gate watches, makes no decision, and is as repeatable
cp -r "$example" "$work/watch"
sed -i 's/,RW,[^,]*,[^,]*,[^,]*,[^,]*,[^,]*$/,,,,,,/' "$work/watch/points.csv"
for i in 1 2; do
  "$BIN/coolplane" replay --config "$work/watch/site.yaml" --log "$work/ahu.db" --out "$work/watch$i.db" --json >"$work/watch$i.json" \
    2>"$work/watch.log" || fail "replay of a site to watch: $(tail -n 3 "$work/watch.log")"
done
grep -q 'watched only' "$work/watch.log" || fail "nothing says that the site is only watched"
[ "$(field decision_sha256 <"$work/watch1.json")" = "$(field decision_sha256 <"$work/watch2.json")" ] || fail "watched twice, seen differently"
[ "$(sqlite3 -readonly "$work/watch1.db" 'SELECT count(*) FROM decision')" = 0 ] || fail "decisions where nothing can be commanded"
"$BIN/coolplane" train --db "$work/ahu.db" --config "$example/site.yaml" --out "$work/model" --json >"$work/train.json" \
  2>"$work/train.log" || fail "train: $(tail -n 3 "$work/train.log")"
rmse=$(field holdout.sat.rmse_15min <"$work/train.json")
at_most "supply air 15 min ahead, K" "$rmse" 0.888 # 1.60 °F, persistence
pass "sha $a, supply air +15 min $rmse K"
