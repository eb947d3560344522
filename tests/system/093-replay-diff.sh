#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two site files that differ in one limit, over one log: `replay --diff` names the limit, the first decision that differs
# and that everything else it was made on was the same. And what is equal, missing, of another planner or not there.
. "$(dirname "$0")/lib.sh"
need sqlite3
"$BIN/coolplane-sim" compare --site tiny --hours 1 --warmup-hours 2 --controllers c0 --fault crah-fail:0@1200 --log "$work" >"$work/compare.log" 2>&1 || fail "no log"
"$BIN/coolplane-sim" serve --site tiny --print-site "$work/site" >"$work/print.log" 2>&1 || fail "no site"
log=$work/c0-1.db
cp -r "$work/site" "$work/tight"
sed -i 's/inlet_allowable: 32/inlet_allowable: 27/' "$work/tight/site.yaml"
replay() { # OUT SITE [options]
  "$BIN/coolplane" replay --config "$work/$2/site.yaml" --log "$log" --out "$work/$1.db" --json "${@:3}" >"$work/$1.json" 2>"$work/$1.log" || fail "replay $1: $(cat "$work/$1.log")"
}
diff_ends() { # CODE A B [options]
  "$BIN/coolplane" replay --diff "$2" "$3" "${@:4}" >"$work/diff.txt" 2>"$work/diff.log"
  local rc=$?
  [ $rc = "$1" ] || fail "--diff ${*:2} ends with $rc, not $1: $(cat "$work/diff.txt" "$work/diff.log")"
}
replay a site
replay again site
replay tight tight
replay alone site --no-planner
mid=$(sqlite3 -readonly "$work/a.db" 'SELECT min(t_ms) + 1800000 FROM decision')
replay later site --from "$mid"
replay later2 site --from "$mid"
cmp -s <(field decision_sha256 <"$work/later.json") <(field decision_sha256 <"$work/later2.json") || fail "from the same start twice, decided differently"
# one complete record for each cycle, closed loop and replays; why answers the seven questions for a step of each kind and reason
for db in "$log" "$work/tight.db" "$work/alone.db"; do
  steps=$(sql 'SELECT max(step) + 1 FROM decision')
  [ "$(sql 'SELECT count(*) FROM decision d WHERE EXISTS (SELECT 1 FROM evidence WHERE decision_id = d.id)')" = "$steps" ] || fail "$db: not one record with evidence for each of $steps cycles"
  [ "$(sql 'SELECT count(*) FROM decision d WHERE (SELECT count(action) FROM decision_var WHERE decision_id = d.id) <> (SELECT max(var) + 1 FROM decision_var)')" = 0 ] || fail "$db: records without all variables"
  for step in $(sql 'SELECT min(step) FROM decision GROUP BY kind, reason'); do
    "$BIN/coolplane" why "$step" --db "$db" >"$work/why.txt" 2>&1 || fail "why $step of $db: $(cat "$work/why.txt")"
    for answer in '^decision: ' '^what \(changed\|would change\)' '^allowed by' '^limits checked' '^approved by' '^measured' '^to reverse'; do
      grep -q "$answer" "$work/why.txt" || fail "why $step of $db does not answer '$answer': $(cat "$work/why.txt")"
    done
    "$BIN/coolplane" why "$step" --db "$db" --json | python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["decision"]["reason"] and d["approved"]["by"] and d["variables"] and {"writes", "events", "reverse", "allowed", "afterwards"} <= set(d), list(d)' ||
      fail "why $step --json of $db"
  done
done
# the limit of the binding output is that of the run's own site file
for run in 'a 32 below' 'tight 27 [a-zA-Z]*'; do # the tight one may be beyond
  read -r db limit side <<<"$run"
  step=$(sqlite3 -readonly "$work/$db.db" "SELECT min(step) FROM v_decisions WHERE margin IS NOT NULL")
  "$BIN/coolplane" why "$step" --db "$work/$db.db" | grep -q "K $side the hard limit of $limit degC at tiny/" || fail "why $step of $db names no output and limit"
done
"$BIN/coolplane" why "$(sqlite3 -readonly "$work/a.db" 'SELECT time FROM v_decisions WHERE step = 100')" --db "$work/a.db" | grep -q '^step 100 of run 1' || fail "why of a time"
# equal, in both directions, and what one of them has beyond the other is told but no difference
diff_ends 0 "$work/a.db" "$work/again.db"
! grep -q 'did not end\|what-if' "$work/diff.txt" && grep -q 'configuration: the same' "$work/diff.txt" && grep -q ' equal, 0 differ' "$work/diff.txt" || fail "two equal ones: $(cat "$work/diff.txt")"
diff_ends 0 "$work/later.db" "$work/later2.db"
# one limit
diff_ends 3 "$work/a.db" "$work/tight.db"
for words in 'hard limit of tiny/room-1/rack-1/inlet_temp_top: A 32, B 27 degC (and 15 more)' 'site.yaml:10: A "inlet_allowable: 32", B "inlet_allowable: 27"' \
  'first difference: 20' '  equal: readings, history, load expected, setpoints in force, what may be moved, machine timers, model set, proposal$' '  not equal: configuration, limits too' \
  '  A  accept, ' '  B  project, '; do
  grep -q -- "$words" "$work/diff.txt" || fail "nothing says '$words': $(cat "$work/diff.txt")"
done
diff_ends 3 "$work/a.db" "$work/tight.db" --json
python3 - "$work/diff.txt" "$work/a.json" <<'PY' || fail "the JSON: $(head -c 3000 "$work/diff.txt")"
import json, sys
d, a = (json.load(open(f)) for f in sys.argv[1:])
assert d["both"] == a["steps"] == d["equal"] + d["differ"] and d["differ"] > 0 and d["equal"] > 0, d["both"]
f = d["first_difference"]
assert f["made_on"]["configuration"] == "differs" and f["made_on"]["proposal"] == f["made_on"]["readings"] == f["made_on"]["what may be moved"] == f["made_on"]["model set"] == "equal", f
assert f["a"]["decision"] == "accept" and f["b"]["decision"] == "project" and f["b"]["margin"] < f["a"]["margin"], f
assert {l["what"]: l["value"] for l in d["configuration"]["limits"]}["hard limit"] == [32, 27]
assert sum(k["decisions"] for k in d["kinds"]) == d["differ_in"]["kind"]
for v in d["variables"]:
    assert abs(abs(v["action"][0] - v["action"][1]) - v["largest"]) < 1e-9 and v["decisions"] <= d["differ_in"]["action"], v
PY
# another planner: the proposals, not what was read
diff_ends 3 "$work/a.db" "$work/alone.db"
grep -q '  not equal: proposal (B has none)' "$work/diff.txt" || fail "that B has no proposals is not said: $(cat "$work/diff.txt")"
# another start: less history, and it says so
diff_ends 3 "$work/a.db" "$work/later.db"
grep -q '  61 before B begins' "$work/diff.txt" && grep -q 'not equal: .*history' "$work/diff.txt" || fail "another start: $(cat "$work/diff.txt")"
# a replay that did not end is no whole one: why, evaluate, --diff and a second try at its place say so
cp "$work/a.db" "$work/cut.db" && cp "$work/a.db" "$work/old.db" && sqlite3 "$work/cut.db" 'UPDATE run SET end_t_ms = NULL' &&
  sqlite3 "$work/old.db" "UPDATE run SET end_t_ms = NULL; DELETE FROM state WHERE name = 'replay'" || fail "cannot cut a replay off"
for cut in cut old; do # old: of a version that wrote down nothing else
  diff_ends 3 "$work/a.db" "$work/$cut.db"
  grep -q '^   this replay did not end' "$work/diff.txt" && grep -q ' equal, 0 differ' "$work/diff.txt" || fail "--diff of an interrupted replay: $(cat "$work/diff.txt")"
  "$BIN/coolplane" why --db "$work/$cut.db" | grep -q '^  this replay did not end' || fail "why of an interrupted replay"
  "$BIN/coolplane" evaluate --config "$work/site/site.yaml" --db "$work/$cut.db" | grep -q '^  the replay did not end' || fail "evaluate of an interrupted replay"
  "$BIN/coolplane" replay --config "$work/site/site.yaml" --log "$log" --out "$work/$cut.db" >"$work/again.txt" 2>&1
  [ $? = 74 ] && grep -q 'a replay that did not end left it; it may be removed' "$work/again.txt" || fail "in the place of an interrupted replay: $(cat "$work/again.txt")"
done
# a step is missing in the middle
sqlite3 "$work/again.db" 'PRAGMA foreign_keys = OFF; DELETE FROM decision WHERE step = 90' || fail "cannot take a step out"
diff_ends 3 "$work/a.db" "$work/again.db"
grep -q '  1 missing in B, first 20' "$work/diff.txt" || fail "a missing step is not named: $(cat "$work/diff.txt")"
# a time that comes twice was not compared: the last decision, set back by a step
cp "$work/a.db" "$work/twice.db"
sqlite3 "$work/twice.db" 'UPDATE decision SET t_ms = (SELECT max(t_ms) FROM decision WHERE t_ms < (SELECT max(t_ms) FROM decision)) WHERE id = (SELECT max(id) FROM decision)' || fail "cannot set a step back"
diff_ends 3 "$work/a.db" "$work/twice.db"
grep -q '  1 of B at times that it has twice: left out' "$work/diff.txt" && grep -q ' equal, 0 differ' "$work/diff.txt" || fail "a time that comes twice: $(cat "$work/diff.txt")"
# a span that the log has not, a log that is not there: nothing begins
ends() { # CODE WORDS VERB…: its exit code and what it says
  "$BIN/coolplane" "${@:3}" >"$work/ends.txt" 2>&1
  local rc=$?
  [ $rc = "$1" ] && grep -q -- "$2" "$work/ends.txt" || fail "${*:3} ends with $rc, not $1 and '$2': $(cat "$work/ends.txt")"
}
ends 4 "$log holds no samples in this span: it is from 20" replay --config "$work/site/site.yaml" --log "$log" --out "$work/x.db" --from 2100-01-01T00:00:00Z
ends 4 "holds no samples in this span" replay --config "$work/site/site.yaml" --log "$log" --out "$work/x.db" --to 2001-01-01T00:00:00Z
ends 69 none.db replay --config "$work/site/site.yaml" --log "$work/none.db" --out "$work/x.db"
ends 69 none.db why latest --db "$work/none.db"
[ ! -e "$work/x.db" ] || fail "a replay of nothing left a database"
# nothing to compare, and no database
diff_ends 4 "$work/a.db" "$work/tight.db" --to 2001-01-01T00:00:00Z
grep -q "$work/a.db and $work/tight.db" "$work/diff.log" || fail "the databases are not named: $(cat "$work/diff.log")"
diff_ends 69 "$work/a.db" "$work/none.db"
grep -q "$work/none.db" "$work/diff.log" || fail "the missing database is not named: $(cat "$work/diff.log")"
head -c 4096 /dev/urandom >"$work/noise.db"
diff_ends 65 "$work/a.db" "$work/noise.db"
for bad in "--diff $work/a.db" "--diff $work/a.db $work/tight.db $work/alone.db" "--diff $work/a.db $work/tight.db --out $work/x.db" "--diff $work/a.db $work/tight.db --no-planner" "--diff $work/a.db $work/tight.db --from 5 --to 4"; do
  # shellcheck disable=SC2086
  "$BIN/coolplane" replay $bad >/dev/null 2>&1
  [ $? = 2 ] || fail "replay $bad is no usage error"
done
pass "$(field steps <"$work/a.json") steps"
