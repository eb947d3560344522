#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The record of a live gate, killed once in the middle, is judged again by an auditor who has the database and the site file
# alone: nothing differs, the time it was down is named, and one digit changed anywhere is found, with both numbers.
. "$(dirname "$0")/lib.sh"
need sqlite3
start_broker
start_plant tiny 120
start_gate --mode live --explore 10m
start_planner
wait_for 60 'step_at_least 90' || fail "90 steps do not come" # the first fit is at 60 or 80
kill -KILL "$gate"
wait "$gate" 2>/dev/null
sleep 1 # four steps
start_gate --mode live
wait_for 90 'step_at_least 110' || fail "110 steps of a second run do not come"
"$BIN/coolplane" audit verify --config "$config" >"$work/live.txt" 2>&1 || fail "audit beside a living gate: $(cat "$work/live.txt")"
stop_pid "$gate"
stop_pid "$planner"
stop_pid "$plant" # nothing is left that an audit could ask
sum=$(sha256sum <"$db")
"$BIN/coolplane" audit verify --config "$config" --json >"$work/audit.json" || fail "audit: $(head -c 2000 "$work/audit.json")"
[ "$(sha256sum <"$db")" = "$sum" ] || fail "the audit writes to the database"
python3 - "$work/audit.json" "$(sql 'SELECT count(*) FROM decision')" <<'PY' || fail "the audit: $(tail -c 1500 "$work/audit.json")"
import json, sys
d = json.load(open(sys.argv[1]))
s = d["summary"]
assert s["decisions"] == len(d["decisions"]) == int(sys.argv[2]), s
assert s["differs"] == 0 and s["not-rechecked"] == 0, s
assert s["holds"] >= 20, s
for r in d["decisions"]:
    if r["verdict"] == "holds":
        assert abs(r["margin"] - r["margin_recomputed"]) < 1e-6 and r["binding"] == r["binding_recomputed"] != "", r
        assert r["model_hash"] == r["model_hash_stored"], r
assert any(g["run_before"] == 1 and g["run_after"] == 2 for g in d["gaps"]), d["gaps"]
assert s["steps_missing"] == 0, d["gaps"]
PY
# tampered NAME SQL 'WHAT IT MUST SAY': on a copy
held=$(sql "SELECT id FROM decision WHERE reason = 0 AND kind = 0 AND margin IS NOT NULL ORDER BY id DESC LIMIT 1")
[ -n "$held" ] || fail "no certified proposal"
tampered() {
  sqlite3 -readonly "$db" "VACUUM INTO '$work/$1.db'" && sqlite3 "$work/$1.db" "PRAGMA foreign_keys = OFF; $2" || fail "cannot change $1"
  "$BIN/coolplane" audit verify --config "$config" --db "$work/$1.db" >"$work/$1.txt" 2>&1
  [ $? = 3 ] || fail "$1 is not found: $(cat "$work/$1.txt")"
  grep -q "^differs .*$3" "$work/$1.txt" || fail "$1 is found as something else: $(cat "$work/$1.txt")"
}
tampered margin "UPDATE decision SET margin = margin + 0.01 WHERE id = $held" 'another margin; margin said [-0-9.e]* K at .*, recomputed [-0-9.e]* K at '
tampered action "UPDATE decision_var SET action = action + 0.5 WHERE decision_id = $held AND var = 0" ''
tampered model "UPDATE model_set SET blob = CAST(substr(blob, 1, length(blob) - 41) || X'99' || substr(blob, -40) AS BLOB) WHERE id = (SELECT set_id FROM evidence WHERE decision_id = $held)" \
  'the model set stored is not the one that the decision names.*; model set said [0-9a-f]*, stored [0-9a-f]*'
tampered reading "UPDATE evidence SET blob = CAST(substr(blob, 1, length(blob) - 1) || X'99' AS BLOB) WHERE decision_id = $held" 'the record was changed'
# a deleted step is named; a purged set is no difference
sqlite3 -readonly "$db" "VACUUM INTO '$work/gone.db'"
gone=$((held - 3)) # in the middle of its run
sqlite3 "$work/gone.db" "PRAGMA foreign_keys = OFF; DELETE FROM decision_var WHERE decision_id = $gone; DELETE FROM evidence WHERE decision_id = $gone; DELETE FROM decision WHERE id = $gone; DELETE FROM model_set WHERE id = (SELECT max(id) FROM model_set)"
"$BIN/coolplane" audit verify --config "$config" --db "$work/gone.db" >"$work/gone.txt" || fail "what is gone differs: $(cat "$work/gone.txt")"
grep -q '1 step of run [12] not stored' "$work/gone.txt" && grep -q 'its model set is no longer stored' "$work/gone.txt" || fail "what is gone is not named: $(cat "$work/gone.txt")"
# codes and words of the help
cp -r "$(dirname "$config")" "$work/edited" && sed -i 's/inlet_recommended: 27/inlet_recommended: 26/' "$work/edited/site.yaml" || fail "cannot edit a copy of the site"
"$BIN/coolplane" audit verify --config "$work/edited/site.yaml" --db "$db" >"$work/edited.txt" 2>&1
[ $? = 4 ] && tail -n 1 "$work/edited.txt" | grep -q "first difference: site.yaml line [0-9]*: there '.*inlet_recommended: 27" && grep -q "$db was made with configuration" "$work/edited.txt" ||
  fail "an edited site file is not named: $(tail -n 3 "$work/edited.txt")"
"$BIN/coolplane" audit verify --config "$config" --from 2020-01-01T00:00:00Z --to 2020-01-02T00:00:00Z >/dev/null
[ $? = 4 ] || fail "a span without decisions can be judged"
"$BIN/coolplane" audit verify --config "$config" --db "$work/none.db" >/dev/null 2>&1
[ $? = 69 ] || fail "a database that is not there"
for bad in "" "verify --from yesterday" "verify more" "verify --from 5 --to 4" "verify --nonsense"; do
  # shellcheck disable=SC2086
  "$BIN/coolplane" audit $bad >/dev/null 2>&1
  [ $? = 2 ] || fail "audit $bad is no usage error"
done
for code in '0 nothing differs' '2 usage' '3 something differs' '4 no decision could' '65 database damaged' '69 no database' '74 I/O' '78 site wrong'; do
  "$BIN/coolplane" audit --help | tr '\n' ' ' | grep -q "$code" || fail "audit --help does not know $code"
done
pass "$(sql 'SELECT count(*) FROM decision') decisions, $(grep -o '"holds":[0-9]*' "$work/audit.json" | tail -n 1), $(sql 'SELECT sum(length(blob)) FROM evidence') bytes of evidence, $(sql 'SELECT count(*) FROM model_set') sets"
