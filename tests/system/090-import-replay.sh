#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real log (LBNL, 15 days of an air handler): every row accounted for, replay twice gives the same decisions, and the
# model trained on the first 70 % beats persistence on the rest.
. "$(dirname "$0")/lib.sh"
need sqlite3
example=$SRC/deploy/examples/ahu-mzvav
# each way of ending that needs no data has the code that the help names
replay_ends() { # CODE 'WORDS IN THE HELP' LOG
  "$BIN/coolplane" replay --config "$example/site.yaml" --log "$3" --out "$work/no.db" >"$work/replay.log" 2>&1
  local rc=$?
  [ $rc = "$1" ] || fail "replay of ${3##*/}: exit $rc, not $1: $(cat "$work/replay.log")"
  "$BIN/coolplane" replay --help | grep -q "$1 $2" || fail "replay --help does not know exit $1"
}
python3 - "$example/points.csv" "$work/head.csv" <<'PY' # a log with a header and no row
import csv, sys
rows = [r for r in csv.reader(l for l in open(sys.argv[1]) if not l.startswith("#"))]
key = rows[0].index("key")
csv.writer(open(sys.argv[2], "w")).writerow(["Datetime"] + [r[key] for r in rows[1:]])
PY
"$BIN/coolplane" import "$work/head.csv" --map "$example/import.yaml" --db "$work/empty.db" >"$work/import.log" 2>&1
[ $? = 65 ] && grep -q 'head.csv:1: no row after the header$' "$work/import.log" || fail "import of a header: $(cat "$work/import.log")"
[ -z "$(ls "$work"/empty.db* 2>/dev/null)" ] || fail "a refused import leaves $(ls "$work"/empty.db*)"
{ cat "$work/head.csv"; head -n 1 "$work/head.csv" | sed 's/[^,]//g; s|^|8/28/2007 0:00|'; } >"$work/row.csv" # nothing but missing
"$BIN/coolplane" import "$work/row.csv" --map "$example/import.yaml" --db "$work/empty.db" >"$work/import.log" 2>&1 || fail "import of a row: $(cat "$work/import.log")"
sqlite3 "$work/empty.db" "DELETE FROM sample; UPDATE counter SET value = 0 WHERE name IN ('samples', 'good')" || fail "cannot empty it"
replay_ends 4 'no samples in the log' "$work/empty.db"
replay_ends 69 'no such log' "$work/none.db"
"$BIN/coolplane" replay --help | tr '\n' ' ' | grep -q '0 replayed, 1 set-up failed, 2 usage,.* 65 .* 78 site wrong' || fail "replay --help lacks an exit code"
"$BIN/coolplaned" --help | tr '\n' ' ' | grep -q 'Exit codes: 0 ok, 1 .* 2 usage, 69 .* 74 .* 75 .* 78 ' || fail "coolplaned --help lacks an exit code"
data=${COOLPLANE_DATA:-$SRC/../shared/data}
log=$data/telemetry/lbnl_fdd_MZVAV-2-1.csv
[ -f "$log" ] || skip "COOLPLANE_DATA has no telemetry/lbnl_fdd_MZVAV-2-1.csv"
"$BIN/coolplane" import "$log" --map "$example/import.yaml" --db "$work/ahu.db" --json >"$work/import.json" 2>"$work/import.log" ||
  fail "import: $(tail -n 3 "$work/import.log")"
# accounted IMPORT_JSON 'EXPRESSION OVER THE REPORT d': the expression holds, and nothing is lost between file and database
accounted() {
  python3 - "$1" "$work/ahu.db" "$2" <<'PY' || fail "$1: $2 does not hold: $(cat "$1")"
import json, sqlite3, sys
d = json.load(open(sys.argv[1]))["files"][0]
assert d["rows"] == d["ok"] + d["bad"] + d["duplicates"], "rows"
assert d["bad"] == sum(d["bad_by_reason"].values()), "bad"
assert d["samples"] == d["samples_good"] + sum(d["bad_samples_by_reason"].values()), "samples"
assert d["samples"] + d["samples_duplicate"] == (d["ok"] + d["duplicates"]) * d["columns_used"], "cells"
assert eval(sys.argv[3]), sys.argv[3]
stored = sqlite3.connect(f"file:{sys.argv[2]}?mode=ro", uri=True).execute("SELECT count(*) FROM sample").fetchone()[0]
assert stored == 21600 * 18, stored
PY
}
[ "$(tail -n +2 "$log" | wc -l)" = 21600 ] || fail "the log is not the one this test knows"
accounted "$work/import.json" 'd["rows"] == d["ok"] == 21600 and d["gaps"] == 7 and d["bad_samples_by_reason"] == {"out-of-range": 3}'
# some rows again, and three that cannot be used: every one is counted for what it is, none is stored
{ head -n 1 "$log"; sed -n '100,109p' "$log"; echo 'yesterday,1'; sed -n '2p' "$log" | sed 's/^[^,]*/not a time/'; sed -n '3p' "$log" | sed 's/,[^,]*$//'; } \
  >"$work/again.csv"
"$BIN/coolplane" import "$work/again.csv" --map "$example/import.yaml" --db "$work/ahu.db" --json >"$work/again.json" 2>>"$work/import.log" ||
  fail "import of a damaged file"
accounted "$work/again.json" 'd["rows"] == 13 and d["duplicates"] == 10 and d["bad"] == 3 and d["bad_by_reason"]["cell_count"] == 2 and d["bad_by_reason"]["unreadable_time"] == 1'
for i in 1 2; do
  "$BIN/coolplane" replay --config "$example/site.yaml" --log "$work/ahu.db" --out "$work/out$i.db" --json >"$work/replay$i.json" \
    2>"$work/replay.log" || fail "replay $i: $(tail -n 3 "$work/replay.log")"
done
a=$(field decision_sha256 <"$work/replay1.json") b=$(field decision_sha256 <"$work/replay2.json")
[ -n "$a" ] && [ "$a" = "$b" ] || fail "decision_sha256 differs: $a $b"
at_least "steps" "$(field steps <"$work/replay1.json")" 20000
decided=$(sqlite3 -readonly "$work/out1.db" 'SELECT count(*) FROM decision')
[ "$decided" = "$(field steps <"$work/replay1.json")" ] || fail "$decided decisions in $(field steps <"$work/replay1.json") steps"
"$BIN/coolplane" why latest --db "$work/out1.db" | grep -q 'what would change (nothing is written here)' || fail "why of a replay"
"$BIN/coolplane" replay --config "$SRC/deploy/examples/tiny/site.yaml" --log "$work/ahu.db" --out "$work/none.db" >"$work/replay.log" 2>&1
[ $? = 65 ] || fail "the log of another site is replayed: $(cat "$work/replay.log")"
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
