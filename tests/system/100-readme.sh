#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every command of ours in the README's code does what it says there; a command the README gains fails here until it is run
# below. test.sh is what runs this: only its options are checked. demo.sh has 180, --release 150, coolplane-sim tune 170, explore 175, certify 176.
. "$(dirname "$0")/lib.sh"
covered='coolplane audit
coolplane check-config
coolplane check-live
coolplane evaluate
coolplane import
coolplane points help
coolplane points list
coolplane points plan
coolplane rearm
coolplane replay
coolplane savings
coolplane status
coolplane train
coolplane why
coolplane-planner --config
coolplane-sim certify
coolplane-sim compare
coolplane-sim explore
coolplane-sim serve
coolplane-sim tune
coolplaned --config
coolplaned --release'
python3 - "$SRC/README.md" "$covered" "$SRC" <<'PY' || fail "the README and this test differ"
import re, sys
text, covered, src = open(sys.argv[1]).read(), set(sys.argv[2].split("\n")), sys.argv[3]
code = re.findall(r"^    .*", text, re.M) + re.findall(r"`([^`]+)`", re.sub(r"^    .*", "", text, flags=re.M))
found, bad = set(), []
for span in code:
    for program, rest in re.findall(r"(?:^|[;|&]|sudo|do)\s*(?:\S*/)?(coolplane(?:d|-planner|-web|-sim)?)\s([a-z-].*)", span.strip(), re.S):
        words = rest.split()
        found.add(" ".join([program] + words[:2 if words[0] == "points" else 1]))
    for script, rest in re.findall(r"\./(demo|test)\.sh\b([^`]*)", span):
        known = open(f"{src}/{script}.sh").read()
        bad += [f"{script}.sh does not know {o}" for o in re.findall(r"--[a-z-]+", rest) if f"{o})" not in known and f"{o}|" not in known]
    if re.match(r"--[a-z]", span) and not any(f"{span.split()[0]})" in open(f"{src}/{s}.sh").read() for s in ("demo", "test")):
        bad.append(f"no script knows {span}")
bad += [f"not run here: {c}" for c in sorted(found - covered)] + [f"not in the README any more: {c}" for c in sorted(covered - found)]
print("\n".join(bad))
sys.exit(bool(bad))
PY
start_broker
start_plant tiny 120

"$BIN/coolplane" check-config "$config" || fail "check-config"
[ "$("$BIN/coolplane" points list --config "$config" | wc -l)" -gt 140 ] || fail "points list"
"$BIN/coolplane" points help | grep -q '^  safe_dir ' || fail "points help"
"$BIN/coolplane" points plan --config "$config" | grep -q '[0-9]' || fail "points plan"
"$BIN/coolplane" check-live --config "$config" "${time_args[@]}" >"$work/live.txt" || fail "check-live: $(grep '^device' "$work/live.txt")"
start_gate # as in the README: no --mode is shadow
start_planner
wait_for 10 '"$BIN/coolplane" status --config "$config" >/dev/null 2>&1' || fail "no status"
timeout 20 "$BIN/coolplaned" --config "$config" "${time_args[@]}" >"$work/second.txt" 2>&1
[ $? = 75 ] && grep -q 'most likely another coolplaned' "$work/second.txt" || fail "a second gate: $(cat "$work/second.txt")"
wait_for 30 'step_at_least 15' || fail "shadow makes no steps"
[ "$("$BIN/coolplane" status --config "$config" --json | field mode)" = SHADOW ] || fail "without --mode it is not shadow"
"$BIN/coolplane" status --config "$config" | grep -q SHADOW || fail "status does not show the mode"
"$BIN/coolplane" why latest --config "$config" | grep -q 'what \(changed\|would change\)' || fail "why: $("$BIN/coolplane" why latest --config "$config" | head -5)"
"$BIN/coolplane" audit verify --config "$config" >"$work/audit.txt" && grep -q '^  differs *0$' "$work/audit.txt" || fail "audit verify: $(cat "$work/audit.txt")"
"$BIN/coolplane" evaluate --config "$config" --html "$work/report.html" >"$work/evaluate.txt" 2>"$work/evaluate.log" && grep -q '^WHAT STANDS OUT' "$work/evaluate.txt" &&
  grep -q 'conditions to go live' "$work/report.html" || fail "evaluate: $(cat "$work/evaluate.txt")"
"$BIN/coolplane" savings --db "$db" --baseline shadow >"$work/savings.txt"
[ $? = 4 ] && grep -q '^cannot be told (never-in-force)' "$work/savings.txt" || fail "savings: $(cat "$work/savings.txt")"
"$BIN/coolplane-sim" compare --site tiny --hours 1 --warmup-hours 1 --controllers b0,b2 | grep -q '^b2 .*0\.' || fail "compare"
# the table of four climates, for an hour: its own line, without the weather, which is not part of the repository
read -ra words < <(sed -nE 's/^    coolplane-sim (compare --site hall .*)/\1/p' "$SRC/README.md" | sed -E 's/--weather \S+ //g; s/--days [0-9]+/--hours 1 --warmup-hours 1/; s/--seeds [0-9]+/--seeds 1/')
"$BIN/coolplane-sim" "${words[@]}" >"$work/table.json" && [ "$(grep -o '"controller":"[a-z0-9]*"' "$work/table.json" | sort -u | wc -l)" = 7 ] ||
  fail "the table: ${words[*]}"
grep -E '\bnan\b' "$work/planner.log" && fail "the planner tells an error that does not exist"

# old logs: an air handler's day, made here; the real ones are in 090
example=$SRC/deploy/examples/ahu-mzvav
python3 - "$example/points.csv" >"$work/LOG.csv" <<'PY'
import csv, datetime, math, random, sys
rng = random.Random(1)
rows = csv.DictReader(l for l in open(sys.argv[1]) if not l.startswith("#"))
key = {r["name"].split("/")[-1]: r["key"] for r in rows}
print(",".join(["Datetime", *key.values()]))
sat = 55.0
for m in range(1440):
    sun = math.sin(2 * math.pi * (m - 540) / 1440)
    sp = 55 + (m // 240) % 3
    sat += 0.2 * (sp - sat) + rng.gauss(0, 0.1)
    at = dict(supply_air_temp=sat, supply_air_temp_sp=sp, outdoor_air_temp=75 + 10 * sun, mixed_air_temp=74 + 2 * sun,
              return_air_temp=73 + sun, cooling_valve=0.5 + 0.2 * sun, supply_fan_status=1, return_fan_status=1,
              supply_fan_speed=0.7, return_fan_speed=0.6, duct_pressure_sp=1.4, duct_pressure=1.4 + rng.gauss(0, 0.02), occupancy=1)
    t = datetime.datetime(2008, 7, 1) + datetime.timedelta(minutes=m)
    print(",".join([t.strftime("%m/%d/%Y %H:%M")] + [f"{at.get(k, 0):.3f}" for k in key]))
PY
"$BIN/coolplane" import "$work/LOG.csv" --map "$example/import.yaml" --db "$work/log.db" --json >"$work/import.json" || fail "import"
python3 -c 'import json,sys; f = json.load(open(sys.argv[1]))["files"][0]; assert f["rows"] == f["ok"] == 1440, f' "$work/import.json" ||
  fail "import does not account for the rows"
"$BIN/coolplane" replay --config "$example/site.yaml" --log "$work/log.db" --out "$work/decisions.db" --json >"$work/replay.json" ||
  fail "replay"
[ "$(sqlite3 -readonly "$work/decisions.db" 'SELECT count(*) FROM decision')" = "$(field steps <"$work/replay.json")" ] || fail "replay lost steps"
"$BIN/coolplane" why latest --db "$work/decisions.db" | grep -q 'what would change' || fail "why of a replay"
"$BIN/coolplane" train --db "$work/log.db" --config "$example/site.yaml" --out "$work/site.model" --refit >"$work/train.txt" || fail "train"
"$BIN/coolplane" replay --config "$example/site.yaml" --log "$work/log.db" --out "$work/what-if.db" --what-if "$work/site.model" 2>"$work/what-if.txt"
[ $? = 4 ] && grep -q 'holds no energy model: nothing was metered' "$work/what-if.txt" || fail "what if, of a log without meters: $(cat "$work/what-if.txt")"

# the rehearsal: the README's own lines, on ports of ours
"$BIN/coolplane" rearm --config "$config" >"$work/rearm.txt" 2>&1
[ $? = 75 ] && grep -q 'stop coolplaned first' "$work/rearm.txt" || fail "rearm beside a gate: $(cat "$work/rearm.txt")"
for p in "$planner" "$gate" "$plant"; do stop_pid "$p"; done
"$BIN/coolplane" rearm --config "$config" >"$work/rearm.txt" && grep -q 'nothing is latched' "$work/rearm.txt" || fail "rearm: $(cat "$work/rearm.txt")"
mapfile -t lines < <(sed -nE 's/^    (coolplane-sim serve .*)/\1/p' "$SRC/README.md")
[ ${#lines[@]} = 2 ] && grep -q '^    mosquitto -p 1883 &$' "$SRC/README.md" || fail "the README rehearses otherwise"
cd "$work" || fail "cd"
for i in 0 1; do
  words=(${lines[i]% &})
  words=("$BIN/${words[0]}" "${words[@]:1}" --base-port "$base")
  words=("${words[@]/127.0.0.1:1883/127.0.0.1:$mqtt}")
  [ $i = 0 ] && { "${words[@]}" || fail "rehearsal: ${words[*]}"; }
done
"${words[@]}" >>"$work/sim.log" 2>&1 &
pids+=($!)
config=rehearsal/tiny/site.yaml
[ -f "$config" ] || fail "no $config"
wait_for 20 '"$BIN/coolplane" check-live --config "$config" >"$work/live.txt" 2>&1' || fail "rehearsal: $(grep '^device' "$work/live.txt")"
pass
