#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A recorded shadow is scored. A planner that asks for nonsense shows its full projection cost (R30); a day beside
# trim-and-respond, replayed, has forecasts with skill, bounds that hold, counts that are those of the database, and no write.
. "$(dirname "$0")/lib.sh"
need sqlite3
start_broker
start_plant tiny 200
start_gate --mode shadow
wait_for 20 'status >/dev/null' || fail "the gate does not answer"
"$BIN/nonsense_planner" "$(dirname "$db")/run/planner.sock" 1 600 bang >"$work/nonsense.log" 2>&1 &
nonsense=$!
pids+=("$nonsense")
wait_for 60 'step_at_least 60' || fail "60 steps do not come"
"$BIN/coolplane" evaluate --config "$config" >"$work/live.txt" 2>&1 || fail "evaluate beside a living gate: $(cat "$work/live.txt")"
stop_pid "$gate"
stop_pid "$nonsense"
sum=$(sha256sum <"$db")
"$BIN/coolplane" evaluate --config "$config" --json >"$work/shadow.json" || fail "evaluate: $(head -c 2000 "$work/shadow.json")"
[ "$(sha256sum <"$db")" = "$sum" ] || fail "evaluate writes to the database"
python3 - "$work/shadow.json" "$db" <<'PY' || fail "the shadow's scores: $(head -c 1500 "$work/shadow.json")"
import json, sqlite3, sys
d = json.load(open(sys.argv[1]))
q = lambda s: sqlite3.connect(f"file:{sys.argv[2]}?mode=ro", uri=True).execute(s).fetchall()
n = q("SELECT count(*) FROM decision")[0][0]
assert d["decisions"] == d["scored"] == d["shadow"] == n >= 60, (d["decisions"], n)
assert d["write_free"]["left"] == 0 and d["write_free"]["recorded"] == q("SELECT count(*) FROM action")[0][0]
assert d["availability"]["without_proposal"] == q("SELECT count(*) FROM decision WHERE has_proposal = 0")[0][0]
for v, point, mean, worst, k, bad in q("""
    SELECT v.var, p.name, avg(v.action - v.proposal), max(abs(v.action - v.proposal)), count(v.proposal),
           sum(v.proposal IS NULL AND d.has_proposal) FROM decision_var v JOIN decision d ON d.id = v.decision_id
    JOIN point p ON p.id = v.point_id GROUP BY v.var"""):
    r = d["variables"][v]
    scale = {"%": 100}.get(r["unit"], 1)
    assert r["point"] == point and r["projection"]["steps"] == k and r["proposals_not_finite"] == bad, (r, k, bad)
    if k:
        assert abs(r["projection"]["mean"] - scale * mean) < 1e-6 * abs(scale * mean) + 1e-6, (r["projection"], mean)
        assert abs(r["projection"]["most"] - scale * worst) < 1e-6 * scale * worst + 1e-9 and r["projected"] >= 0.9 * k, (r, worst)
assert sum(v["projected"] for v in d["variables"]) > 100
assert sum(r["steps"] for r in d["decisions_by_reason"]) == n
assert sum(p["samples"] for p in d["points"]) > 1000 and all(p["bad_share"] is None or 0 <= p["bad_share"] <= 1 for p in d["points"])
PY
# of proposals, not of steps: some steps had none
"$BIN/coolplane" evaluate --config "$config" >"$work/shadow.txt" || fail "evaluate in words"
share=$(sql "SELECT printf('%.1f', 100.0 * sum(kind = (SELECT id FROM code WHERE kind = 'decision' AND name = 'project')) / sum(has_proposal)) FROM decision")
grep -q "changed $share % of the proposals" "$work/shadow.txt" || fail "not $share % of the proposals: $(head -n 20 "$work/shadow.txt")"
# a step that left is found and named; nothing in the record is no score
sqlite3 -readonly "$db" "VACUUM INTO '$work/left.db'" && sqlite3 "$work/left.db" "UPDATE action SET result = 1, read_back = value WHERE id = 2" || fail "cannot change a copy"
"$BIN/coolplane" evaluate --config "$config" --db "$work/left.db" >"$work/left.txt" 2>&1
[ $? = 3 ] || fail "a write in shadow is not found: $(cat "$work/left.txt")"
grep -q 'first: .*tiny/.*: ACCEPTED' "$work/left.txt" || fail "the write is not named: $(cat "$work/left.txt")"
# a decision and a sample of a wrong clock: told, and the scores are those of the rest
sqlite3 -readonly "$db" "VACUUM INTO '$work/clock.db'" && sqlite3 "$work/clock.db" "DELETE FROM evidence WHERE decision_id = (SELECT max(id) FROM decision);
  UPDATE decision SET t_ms = 4070908800000 WHERE id = (SELECT max(id) FROM decision);
  INSERT INTO sample SELECT 1000, point_id, value, raw, quality, reason FROM sample LIMIT 1" || fail "cannot change a copy"
"$BIN/coolplane" evaluate --config "$config" --db "$work/clock.db" --json --html "$work/clock.html" >"$work/clock.json" || fail "evaluate of a wrong clock"
python3 - "$work/shadow.json" "$work/clock.json" <<'PY' || fail "a wrong clock: $(head -c 1500 "$work/clock.json")"
import json, sys
a, d = (json.load(open(f)) for f in sys.argv[1:])
assert a["left_out"] == {"samples": None, "decisions": None}
assert d["left_out"]["decisions"]["rows"] == 1 and d["left_out"]["decisions"]["first"] == "2099-01-01T00:00:00.000Z", d["left_out"]
assert d["left_out"]["samples"]["rows"] == 1 and d["left_out"]["samples"]["first"] == "1970-01-01T00:00:01.000Z" and d["left_out"]["samples"]["point"]
assert d["decisions"] == d["scored"] == a["decisions"] - 1 and d["from"] == a["from"] and d["to"] < a["to"] and len(d["days"]) == len(a["days"])
assert d["availability"]["gaps"] == a["availability"]["gaps"]
PY
"$BIN/coolplane" evaluate --config "$config" --db "$work/clock.db" | grep -q '^  left out: 1 decision, 2099-01-01T00:00:00.000Z, more than a year from all others' || fail "a wrong clock is not told"
grep -q 'left out: 1 sample of ' "$work/clock.html" && ! grep -q 'out of range' "$work/clock.html" || fail "the page: a wrong clock"
# … also when nothing else can be scored: by a site file that was edited since, in words and as JSON
cp -r "$(dirname "$config")" "$work/edited" && sed -i 's/inlet_recommended: 27/inlet_recommended: 26/' "$work/edited/site.yaml" || fail "cannot edit a copy of the site"
"$BIN/coolplane" evaluate --config "$work/edited/site.yaml" --db "$work/left.db" >"$work/edited.txt" 2>"$work/edited.log"
[ $? = 3 ] && grep -q 'another configuration' "$work/edited.log" && grep -q "$work/left.db was made with configuration" "$work/edited.log" &&
  grep -q "first difference: site.yaml line [0-9]*: there '.*inlet_recommended: 27.*', now '.*inlet_recommended: 26" "$work/edited.log" && grep -q 'WRITES.* 1 left' "$work/edited.txt" && grep -q 'first: .*ACCEPTED' "$work/edited.txt" ||
  fail "an edited site file hides a write in shadow: $(cat "$work/edited.txt" "$work/edited.log")"
"$BIN/coolplane" evaluate --config "$work/edited/site.yaml" --db "$work/left.db" --json >"$work/edited.json" 2>/dev/null
[ $? = 3 ] && python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["scored"] == 0 and d["write_free"]["left"] == 1 and "ACCEPTED" in d["write_free"]["first"]' "$work/edited.json" ||
  fail "the JSON hides a write in shadow: $(cat "$work/edited.json")"
stop_pid "$plant"
# a day beside trim-and-respond, replayed with the planner
mkdir "$work/log"
"$BIN/coolplane-sim" serve --site tiny --print-site "$work/own" >"$work/own.log" 2>&1 || fail "print-site" # as compare has it
own=$work/own/site.yaml
"$BIN/coolplane-sim" compare --site tiny --hours 3 --warmup-hours 2 --controllers b2 --log "$work/log" >"$work/compare.log" 2>&1 || fail "compare: $(tail -n 3 "$work/compare.log")"
"$BIN/coolplane" replay --config "$own" --log "$work/log/b2-1.db" --out "$work/out.db" --json >"$work/replay.json" 2>"$work/replay.log" || fail "replay: $(cat "$work/replay.log")"
"$BIN/coolplane" evaluate --config "$own" --db "$work/log/b2-1.db" --json >"$work/b2.json" || fail "evaluate of a baseline"
"$BIN/coolplane" evaluate --config "$own" --db "$work/out.db" --json >"$work/alone.json" || fail "evaluate of a replay"
"$BIN/coolplane" evaluate --config "$own" --db "$work/out.db" --log "$work/log/b2-1.db" --json >"$work/out.json" || fail "evaluate of a replay with its log"
python3 - "$work" <<'PY' || fail "the replay's scores: $(head -c 2500 "$work/out.json")"
import json, math, sys
b2, alone, d = (json.load(open(f"{sys.argv[1]}/{n}.json")) for n in ("b2", "alone", "out"))
assert b2["decisions"] >= 530 and b2["availability"]["without_proposal"] == b2["decisions"]  # nobody proposed there
assert d["with_evidence"] == d["decisions"] >= 530 and d["write_free"]["left"] == 0, d["decisions"]
assert not d["not_scored"] and d["forecast_stride"] == 1
for g in d["groups"]:
    assert "hindcast" in g["is"]
    for a, s in zip(g["ahead"], (30, 300, 900)):
        assert a["seconds"] == s and a["readings"] > 500, a
        assert a["skill"] > 0 and abs(1 - a["rmse_k"] / a["persistence_rmse_k"] - a["skill"]) < 1e-9, a
        assert a["mae_k"] <= a["rmse_k"] and abs(a["bias_k"]) <= a["mae_k"]
    c = g["coverage"]
    assert c["below_one_step_bound"] >= 0.98 and c["inside_horizon"] >= 0.98 and 0 < c["width_one_step_k"] < c["width_horizon_k"], c
    of = [o for o in d["outputs"] if o["group"] == g["group"]]
    for k in range(3):
        n = sum(o["ahead"][k]["readings"] for o in of)
        assert n == g["ahead"][k]["readings"] == sum(x[g["group"]]["ahead"][k]["readings"] for x in d["days"])
        sq = sum(o["ahead"][k]["readings"] * o["ahead"][k]["rmse_k"] ** 2 for o in of)
        assert abs(math.sqrt(sq / n) - g["ahead"][k]["rmse_k"]) < 1e-9
h = d["hottest_inlet"]
assert h["measured"]["above_hard"] == 0 and h["forecast_action"]["steps"] > 400 and h["worst_case"]["steps"] > 300, h
assert abs(h["forecast_in_force"]["hottest_c"] - h["measured"]["hottest_c"]) < 1
for v in d["variables"]:
    assert abs(v["higher"] + v["lower"] - v["beyond_dead_band"]) < 1e-12 and v["action_minus_in_force"]["steps"] == d["shadow"]
p = d["power"]
assert p["steps"] > 200 and 0.7 < p["predicted_over_measured_ratio"] < 1.3, p
assert alone["power"]["steps"] == 0 and alone["power"]["measured_mean_w"] is None and alone["availability"]["samples"] == 0
assert alone["groups"] == d["groups"]  # samples do not change what is foreseen
PY
"$BIN/coolplane" evaluate --config "$own" --db "$work/out.db" --log "$work/log/b2-1.db" >"$work/out.txt" || fail "evaluate in words"
# one count of certificates, in words, as JSON and by the audit; one unit for all fans, whatever their makers count in
"$BIN/coolplane" audit verify --config "$own" --db "$work/out.db" --json >"$work/audit.json" || fail "audit of the replay"
certified=$(python3 -c 'import json, sys; d, a = (json.load(open(f)) for f in sys.argv[1:]); n = d["certified"]
assert n == d["hottest_inlet"]["worst_case"]["steps"] == a["summary"]["holds"] > 0 and d["hottest_inlet"]["worst_case"]["above_hard"] == 0, (n, a["summary"])
print(n)' "$work/out.json" "$work/audit.json") || fail "page, text and audit count other certificates"
grep -q "certificate: $certified of [0-9]* decisions carry one" "$work/out.txt" || fail "the text counts other certificates than $certified"
! grep -q ' ratio' "$work/out.txt" || fail "a fan in ratio beside one in %: $(grep ' ratio' "$work/out.txt")"
# meters without proposals: what was measured is told
"$BIN/coolplane" evaluate --config "$own" --db "$work/log/b2-1.db" >"$work/b2.txt" || fail "a baseline in words"
grep -q 'nothing to compare: there were no proposals' "$work/b2.txt" && grep -q '^  meters under what was in force [0-9.]* kW' "$work/b2.txt" || fail "meters without proposals: $(grep -A3 ^POWER "$work/b2.txt")"
# why: no step there, a time that is none, a replay that stores no samples, a way that nothing went
"$BIN/coolplane" why 2020-01-01T00:00:00Z --db "$work/out.db" 2>"$work/none.log"
[ $? = 4 ] && grep -q 'there are some from 20.*Z to 20.*Z' "$work/none.log" || fail "why does not tell from when there are decisions: $(cat "$work/none.log")"
"$BIN/coolplane" why 2026-07-15 --db "$work/out.db" 2>"$work/none.log"
[ $? = 2 ] && grep -q "is no time: a time is as 2026" "$work/none.log" || fail "why of a day: $(cat "$work/none.log")"
"$BIN/coolplane" why rack-1/power --db "$work/out.db" | grep -q 'a replay stores none' || fail "why of a replay's point"
went=$(sqlite3 -readonly "$work/out.db" "SELECT max(d.step) FROM v_decisions d WHERE d.decision = 'accept' AND d.has_proposal AND EXISTS (SELECT 1 FROM v_setpoints v WHERE v.decision_id = d.id AND abs(v.change) > 0.1)")
cp "$work/out.db" "$work/still.db" && sqlite3 "$work/still.db" "UPDATE decision_var SET action = confirmed WHERE decision_id = (SELECT id FROM decision WHERE step = $went)" || fail "cannot change a copy"
"$BIN/coolplane" why "$went" --db "$work/out.db" | grep -q 'of the way to the proposal' || fail "step $went went a way, and why does not tell"
! "$BIN/coolplane" why "$went" --db "$work/still.db" | grep -q 'of the way to the proposal' || fail "step $went: nothing moved, and yet it went a way"
# another log of the site is not what was decided on; one whose replay does not tell is taken on trust, and that is said
sqlite3 -readonly "$work/log/b2-1.db" "VACUUM INTO '$work/warm.db'" && sqlite3 "$work/warm.db" 'UPDATE sample SET value = value + 0.1' || fail "cannot change a copy"
"$BIN/coolplane" evaluate --config "$own" --db "$work/out.db" --log "$work/warm.db" >"$work/warm.txt" 2>&1
[ $? = 65 ] && grep -q 'warm.db is not the log that was replayed into .*out.db: from 20.* its samples have other values' "$work/warm.txt" || fail "another log: $(cat "$work/warm.txt")"
sqlite3 -readonly "$work/out.db" "VACUUM INTO '$work/silent.db'" && sqlite3 "$work/silent.db" "DELETE FROM state WHERE name = 'replay'" || fail "cannot change a copy"
"$BIN/coolplane" evaluate --config "$own" --db "$work/silent.db" --log "$work/warm.db" --html "$work/silent.html" >/dev/null 2>"$work/silent.log" || fail "a replay that does not tell its log"
grep -q 'taken on trust is .*warm.db' "$work/silent.log" && grep -q 'not known to be the log that was replayed' "$work/silent.html" || fail "a log taken on trust is not told: $(cat "$work/silent.log")"
for word in 'WHAT STANDS OUT' 'skill' 'BOUNDS' 'no saving' 'AVAILABILITY' '0 left'; do
  grep -q "$word" "$work/out.txt" || fail "the text does not say $word: $(cat "$work/out.txt")"
done
[ "$(wc -l <"$work/out.txt")" -lt 80 ] || fail "the text is long"
# codes and words of the help
"$BIN/coolplane" evaluate --config "$config" --from 2020-01-01T00:00:00Z --to 2020-01-02T00:00:00Z >/dev/null 2>"$work/none.log"
[ $? = 4 ] && grep -q 'no decisions in this span' "$work/none.log" || fail "a span without decisions is scored"
"$BIN/coolplane" evaluate --config "$SRC/deploy/examples/hall/site.yaml" --db "$work/out.db" >/dev/null 2>"$work/other.log"
[ $? = 4 ] && grep -q 'another configuration' "$work/other.log" || fail "another site's decisions are scored: $(cat "$work/other.log")"
"$BIN/coolplane" evaluate --config "$config" --db "$work/none.db" >/dev/null 2>&1
[ $? = 69 ] || fail "a database that is not there"
for bad in "--from yesterday" "more" "--from 5 --to 4" "--nonsense"; do
  # shellcheck disable=SC2086
  "$BIN/coolplane" evaluate $bad >/dev/null 2>&1
  [ $? = 2 ] || fail "evaluate $bad is no usage error"
done
for code in '0 scored' '2 usage' '3 something was written' '4 nothing can be scored' '65 database' '69 no database' '74 I/O' '78 site wrong'; do
  "$BIN/coolplane" evaluate --help | tr '\n' ' ' | grep -q "$code" || fail "evaluate --help does not know $code"
done
pass "inlets: $(python3 -c 'import json, sys; g = json.load(open(sys.argv[1]))["groups"][0]; print("skill", *(round(a["skill"], 2) for a in g["ahead"]), "below", round(g["coverage"]["below_one_step_bound"], 4))' "$work/out.json")"
