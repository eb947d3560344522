#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a change of control saved, from databases: hourly logs of a made-up site whose saving is known, imported; and the
# telemetry that coolplane-sim compare keeps. What cannot be told is refused with exit 4, and says why.
# COOLPLANE_SAVINGS_DAYS=14 runs so many simulated days too, of b0 and of b2, and holds the saving against the rows of compare.
. "$(dirname "$0")/lib.sh"
mkdir "$work/site" "$work/log"
cat >"$work/site/site.yaml" <<'Y'
site: { name: made-up, fast_step: 30s, slow_step: 5m }
zones: [ { name: room } ]
equipment:
  - { name: rack-1, brick: ICT_Rack, zone: room }
  - { name: crah-1, brick: Computer_Room_Air_Handler, zone: room }
  - { name: chiller-1, brick: Chiller, capacity_w: 500000 }
  - { name: pumps, brick: Water_Pump }
  - { name: tower-1, brick: Cooling_Tower }
  - { name: weather, brick: Weather_Station }
  - { name: hypervisor, brick: Room, zone: room }
points: [ points.csv ]
Y
cat >"$work/site/points.csv" <<'C'
name,table,key,unit,stale_after,brick,equipment,access,min,max,default,max_step,safe_dir
m/room/rack-1/power,log,it,W,90m,Electric_Power_Sensor,rack-1,,,,,,
m/room/rack-1/fans,log,fans,W,90m,Server_Fan_Power_Sensor,rack-1,,,,,,
m/room/rack-1/inlet,log,inlet,degC,90m,Intake_Air_Temperature_Sensor,rack-1,,,,,,
m/room/crah-1/power,log,crah,W,90m,Electric_Power_Sensor,crah-1,,,,,,
m/room/crah-1/sat_sp,log,sat_sp,degC,90m,Supply_Air_Temperature_Setpoint,crah-1,RW,15,25,18,1,-
m/plant/chiller-1/power,log,chiller,W,90m,Electric_Power_Sensor,chiller-1,,,,,,
m/plant/pumps/power,log,pumps,W,90m,Electric_Power_Sensor,pumps,,,,,,
m/plant/tower-1/power,log,tower,W,90m,Electric_Power_Sensor,tower-1,,,,,,
m/plant/weather/wetbulb,log,wetbulb,degC,90m,Outside_Air_Wet_Bulb_Temperature_Sensor,weather,,,,,,
m/room/hypervisor/busy_cores,log,cores,,90m,Sensor,hypervisor,,,,,,
C
printf 'site: site/site.yaml\ntime: { column: t, format: "%%s", zone: UTC }\nmissing: [""]\n' >"$work/import.yaml"
site=$work/site/site.yaml
"$BIN/coolplane" check-config "$site" >"$work/check.txt" 2>&1 || fail "check-config: $(cat "$work/check.txt")"
# made NAME DAYS FIRST_DAY_OF_MEASURE COOLING FANS [TWIST]: from 2026-03-02 (a Monday); COOLING and FANS are factors under the measure
made() {
  python3 - "$work/$1.csv" "${@:2}" <<'PY'
import math, random, sys
out, days, since, cooling, fans = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), float(sys.argv[5])
twist = sys.argv[6] if len(sys.argv) > 6 else ""
random.seed(7)
front = ar = 0.0
f = open(out, "w")
f.write("t,it,fans,inlet,crah,sat_sp,chiller,pumps,tower,wetbulb,cores\n")
for day in range(days):
    front = 0.7 * front + 0.71 * random.gauss(0, 1)
    ar = 0.4 * ar + 0.92 * random.gauss(0, 1)
    on = day % 2 == 1 if since == "odd" else day >= int(since)
    busy = 100 * (1 - 0.1 * (day % 7 >= 5)) * (1 + 0.02 * random.gauss(0, 1))
    for h in range(24):
        if twist == "gaps" and day % 2 == 0 and 6 <= h < 12: continue
        wet = 12 + 2.5 * front + 2 * math.cos((h - 15) / 24 * 6.283)
        cores = busy * (1 + 0.2 * math.cos((h - 14) / 24 * 6.283))
        it = 1000 * (100 + cores) * (0.85 if on and twist == "packed" else 1)
        fan = 0.05 * it * (fans if on else 1)
        c = (0.2 * it + 2500 * max(wet - 8, 0) + 10000) * (cooling if on else 1) * (1 + 0.01 * ar)
        if on and twist == "colder": inlet = "30" if h == 12 else "22"
        else: inlet = "" if on and twist == "blind" else "%.6g" % (25.5 if on else 23.5)
        cells = [it + fan, fan, inlet, 0.2 * c, 20 if on and twist != "same" else 18, 0.6 * c, 0.15 * c, 0.05 * c, wet, cores]
        f.write("%d,%s\n" % (1772409600 + 3600 * (24 * day + h), ",".join(v if v == inlet else "%.6g" % v for v in cells)))
PY
  "$BIN/coolplane" import "$work/$1.csv" --map "$work/import.yaml" --db "$work/$1.db" >"$work/import.log" 2>&1 || fail "import $1: $(tail -n 3 "$work/import.log")"
}
# told CODE NAME OPTIONS...: the JSON in $work/NAME.json
told() {
  local want=$1 name=$2
  shift 2
  "$BIN/coolplane" savings --config "$site" --json "$@" >"$work/$name.json" 2>"$work/$name.err"
  local rc=$?
  [ $rc = "$want" ] || fail "savings $name: exit $rc, not $want: $(cat "$work/$name.err" "$work/$name.json")"
}
holds() { # NAME 'EXPRESSION OVER d'
  python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); p = d["parts"]; assert eval(sys.argv[2])' "$work/$1.json" "$2" ||
    fail "$1: not $2: $(cat "$work/$1.json")"
}
split="2026-03-02T00:00:00Z/2026-03-30T00:00:00Z"
# 28 + 28 days, cooling −30 %, server fans as they were
made plain 56 28 0.7 1
told 0 plain --db "$work/plain.db" --baseline "$split"
holds plain 'd["verdict"] == "told" and d["n"] == 28 and d["m"] + d["m_outside"] == 28 and d["headline"]["what"] == "total"'
holds plain '28 < p["cooling"]["saving_pct"] < 32 and p["cooling"]["low_pct"] < 30 < p["cooling"]["high_pct"] and p["it"]["given"]'
holds plain 'p["total"]["cv_rmse_pct"] < 5 and p["total"]["fsu_guideline14_pct"] > 0 and d["it_response_kwh"] > 0'
holds plain 'd["headline"]["exposure_rose"] is False and d["partly_in_force"] == 0'
# the same against a second database, and with a demand
made before 28 99 1 1
told 0 two --db "$work/plain.db" --baseline "$work/before.db" --reporting 2026-03-30T00:00:00Z/2026-04-27T00:00:00Z
holds two 'd["headline"] == json.load(open(sys.argv[1].replace("two", "plain")))["headline"]'
told 0 demand --db "$work/plain.db" --baseline "$split" --load m/room/hypervisor/busy_cores
holds demand '28 < p["cooling"]["saving_pct"] < 32 and abs(p["it"]["saving_pct"]) < 0.1 and d["shift"] == "none" and d["terms"]["load"]'
holds demand 'abs(p["cooling"]["saving_kwh"] + p["it_fans"]["saving_kwh"] + p["it"]["saving_kwh"] - p["total"]["saving_kwh"]) < 0.01'
"$BIN/coolplane" savings --config "$site" --db "$work/plain.db" --baseline "$split" >"$work/plain.txt" || fail "no table"
grep -q '^total saving .* % \[.*\] of the adjusted baseline' "$work/plain.txt" && grep -q 'no claim' "$work/plain.txt" || fail "the table: $(cat "$work/plain.txt")"
# R31: server fans save, cooling rises: said, and no headline but the total
made shift 56 28 1.1 0.4
told 0 shift --db "$work/shift.db" --baseline "$split" --load m/room/hypervisor/busy_cores
holds shift 'd["shift"] == "it-fell-cooling-rose" and p["cooling"]["high_pct"] < 0 < p["it_fans"]["low_pct"] and d["headline"]["what"] == "total"'
"$BIN/coolplane" savings --config "$site" --db "$work/shift.db" --baseline "$split" --load m/room/hypervisor/busy_cores >"$work/shift.txt"
grep -q 'IT or its fans fell and cooling rose: nothing was saved in cooling. Only the total counts' "$work/shift.txt" || fail "R31: $(cat "$work/shift.txt")"
# days in turn, by a date, by a file; and by what is in force, which is nothing here
made turn 60 odd 0.7 1
told 0 turn --db "$work/turn.db" --ab 2026-03-03 --skip 2h
holds turn 'd["n"] == 29 and d["design"] == "days in turn" and p["cooling"]["low_pct"] < 30 < p["cooling"]["high_pct"] and 27 < p["cooling"]["saving_pct"] < 33'
python3 -c '
import datetime
for k in range(1, 60): print(datetime.date(2026, 3, 2) + datetime.timedelta(k), "ab"[k % 2])' >"$work/days.txt"
told 0 file --db "$work/turn.db" --ab "$work/days.txt" --skip 2h
holds file 'd["headline"] == json.load(open(sys.argv[1].replace("file", "turn")))["headline"]'
told 4 mode --db "$work/turn.db" --ab mode
# by what was in force: the same days from the decisions' modes
decided() { # DB 'SQL: in force on day k'
  sqlite3 "$work/$1.db" "INSERT INTO run (mode, start_t_ms, version, config) VALUES ('live', 1772409600000, 't', '$(printf '%064d' 0)');
    WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < 60 * 2880 - 1), d AS (SELECT i, i / 2880 AS k FROM s)
    INSERT INTO decision (run_id, step, t_ms, mode, kind, reason, binding, model_hash, horizon, binding_y, binding_u, terminal, verified, has_proposal, move)
    SELECT (SELECT max(id) FROM run), i, 1772409600000 + i * 30000, CASE WHEN $2 THEN CASE i % 9 WHEN 0 THEN 'HOLD' ELSE 'ACTIVE' END ELSE 'SHADOW' END,
      0, 0, '', '0000000000000000', 0, 0, 0, 0, 0, 0, '' FROM d" || fail "cannot write decisions into $1"
}
if command -v sqlite3 >/dev/null; then
  decided turn 'k % 2 = 1 AND k > 0'
  told 0 modes --db "$work/turn.db" --ab mode --skip 2h
  holds modes 'd["n"] == 30 and p["cooling"]["low_pct"] < 30 < p["cooling"]["high_pct"]'
  decided plain 'k >= 28'
  told 0 watched --db "$work/plain.db" --baseline shadow
  holds watched 'd["headline"] == json.load(open(sys.argv[1].replace("watched", "plain")))["headline"]'
  decided shift 'k > 28 OR (k = 28 AND i % 2)'
  "$BIN/coolplane" savings --config "$site" --db "$work/shift.db" --baseline shadow --json >"$work/partly.json"
  holds partly 'd["partly_in_force"] == 1 and d["baseline"]["days"] == 28 and d["reporting"]["days"] == 27'
  "$BIN/coolplane" savings --config "$site" --db "$work/shift.db" --baseline shadow | grep -q '^1 day with control in force for part only, left out' || fail "partly: the text"
fi
# days of which less than a whole one was decided are neither; the share in force is of what was recorded
if command -v sqlite3 >/dev/null; then
  cp "$work/turn.db" "$work/cut.db" && sqlite3 "$work/cut.db" "DELETE FROM decision WHERE step BETWEEN 5 * 2880 + 1 AND 6 * 2880 - 1" || fail "cannot cut a day"
  told 0 cut --db "$work/cut.db" --ab mode --skip 2h
  holds cut 'd["partly_recorded"] == 1 and d["partly_in_force"] == 0 and d["reporting"]["days"] == json.load(open(sys.argv[1].replace("cut", "modes")))["reporting"]["days"] - 1'
  holds cut 'd["baseline"]["days"] == json.load(open(sys.argv[1].replace("cut", "modes")))["baseline"]["days"]'
  "$BIN/coolplane" savings --config "$site" --db "$work/cut.db" --ab mode --skip 2h | grep -q '^1 day with decisions recorded for part only, left out' || fail "cut: the text"
fi
# beyond the log: whose, and where it is
told 4 beyond --db "$work/plain.db" --baseline "$work/before.db" --reporting 2020-01-01T00:00:00Z/2020-02-01T00:00:00Z
holds beyond '"plain.db holds no samples between 2020-01-01T00:00:00.000Z and 2020-02-01T00:00:00.000Z: its log is from 2026-03-02T00:00:00.000Z to 2026-04-26T23" in d["why"]'
# one reading of a wrong clock, and a decision: left out and told, and the answer is that of the log without them
stray() { # DB FROM_MS N: N readings of the pumps and one decision, from then on
  sqlite3 "$work/$1.db" "WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < $3 - 1)
    INSERT INTO sample (t_ms, point_id, value, raw, quality, reason) SELECT $2 + i * 1000, id, 1, 1, 0, 0 FROM s, point WHERE name = 'm/plant/pumps/power';
    INSERT INTO decision (run_id, step, t_ms, mode, kind, reason, binding, model_hash, horizon, binding_y, binding_u, terminal, verified, has_proposal, move)
    SELECT max(id), 1000000000, $2, 'ACTIVE', 0, 0, '', '0000000000000000', 0, 0, 0, 0, 0, 0, '' FROM run" || fail "cannot write into $1"
}
same_as() { # NAME OF: the same headline, and one sample left out
  holds "$1" 'd["headline"] == json.load(open(sys.argv[1].replace("'"$1"'.json", "'"$2"'.json")))["headline"] and d["headline"]'
  holds "$1" 'd["left_out"]["samples"]["rows"] == 1 and d["left_out"]["samples"]["point"] == "m/plant/pumps/power"'
}
if command -v sqlite3 >/dev/null; then
  holds plain 'd["left_out"] == {"samples": None, "decisions": None}'
  for year in 2099 1970; do
    at=4070908800000
    [ $year = 2099 ] || at=1000
    cp "$work/plain.db" "$work/plain$year.db" && cp "$work/turn.db" "$work/turn$year.db" && cp "$work/before.db" "$work/before$year.db" || fail "cannot copy"
    stray plain$year $at 1 && stray turn$year $at 1
    told 0 clock$year --db "$work/plain$year.db" --baseline "$split" --reporting 2026-03-30T00:00:00Z/2026-04-27T00:00:00Z
    holds clock$year 'd["headline"] == json.load(open(sys.argv[1].replace("clock'$year'", "plain")))["headline"]'
    told 0 shadow$year --db "$work/plain$year.db" --baseline shadow
    same_as shadow$year watched
    holds shadow$year "d['left_out']['decisions']['rows'] == 1 and d['left_out']['decisions']['first'].startswith('$year-01-01')"
    told 0 mode$year --db "$work/turn$year.db" --ab mode --skip 2h
    same_as mode$year modes
    told 0 turn$year --db "$work/turn$year.db" --ab 2026-03-03 --skip 2h
    same_as turn$year turn
    told 0 file$year --db "$work/turn$year.db" --ab "$work/days.txt" --skip 2h
    same_as file$year file
    stray before$year $at 1
    told 0 two$year --db "$work/plain.db" --baseline "$work/before$year.db" --reporting 2026-03-30T00:00:00Z/2026-04-27T00:00:00Z
    holds two$year 'd["headline"] == json.load(open(sys.argv[1].replace("two'$year'", "two")))["headline"] and d["left_out_of_baseline"]["samples"]["rows"] == 1'
  done
  told 0 open2099 --db "$work/plain2099.db" --baseline "$split"
  same_as open2099 plain
  "$BIN/coolplane" savings --config "$site" --db "$work/plain2099.db" --baseline shadow >"$work/stray.txt" || fail "stray: no table"
  grep -q '^left out: 1 sample of m/plant/pumps/power, 2099-01-01T00:00:00.000Z, more than a year from all others: a wrong clock?$' "$work/stray.txt" &&
    grep -q '^left out: 1 decision, 2099' "$work/stray.txt" || fail "what is left out is not told: $(cat "$work/stray.txt")"
  # so many that they may be the log: the ends, and a way around it
  cp "$work/plain.db" "$work/clock.db" && stray clock 4070908800000 200
  told 65 clock --db "$work/clock.db" --baseline "$split"
  grep -q 'clock.db holds more than 20 years, from 2026-03-02T00:00:00.000Z of m/.* to 2099-01-01T00:03:19.000Z of m/plant/pumps/power: .*--reporting' "$work/clock.err" ||
    fail "the wrong clock is not told: $(cat "$work/clock.err")"
  told 0 within --db "$work/clock.db" --baseline "$split" --reporting 2026-03-30T00:00:00Z/2026-04-27T00:00:00Z
  holds within 'd["headline"] == json.load(open(sys.argv[1].replace("within", "plain")))["headline"]'
fi
# the site file that the database names: found from everywhere, missing, changed, and another one in its place
(cd "$work/site" && "$BIN/coolplane" import ../plain.csv --map ../import.yaml --db ../default.db >"$work/import.log" 2>&1) || fail "import for the default"
sed 's|^site: .*|site: site.yaml|' "$work/import.yaml" >"$work/site/import.yaml"
(cd "$work/site" && "$BIN/coolplane" import ../plain.csv --map import.yaml --db ../default.db >"$work/import.log" 2>&1) || fail "import by a relative path"
ask() { (cd / && "$BIN/coolplane" savings --db "$work/default.db" --baseline "$split" >"$work/ask.txt" 2>"$work/ask.err"); }
ask || fail "the default site file: $(cat "$work/ask.err")"
[ ! -s "$work/ask.err" ] || fail "an unchanged site is noted: $(cat "$work/ask.err")"
echo '# changed' >>"$site"
ask && grep -q "note: no run in .*default.db had this configuration, $site: changed since?" "$work/ask.err" || fail "a changed site: $(cat "$work/ask.err")"
mv "$site" "$work/away.yaml"
ask
[ $? = 78 ] && grep -q "$site: No such file or directory; it is the site file of the last run in .*default.db: give --config" "$work/ask.err" ||
  fail "a site file that is gone: $(cat "$work/ask.err")"
cp "$work/away.yaml" "$site" && cp "$work/site/points.csv" "$work/points.csv" && sed -i 's|^m/|n/|' "$work/site/points.csv"
ask
[ $? = 65 ] && grep -q 'default.db holds none of the 10 points of made-up: a log of another site?' "$work/ask.err" || fail "another site: $(cat "$work/ask.err")"
cp "$work/points.csv" "$work/site/points.csv"
# periods that overlap
told 0 overlap --db "$work/plain.db" --baseline "$split" --reporting 2026-03-20T00:00:00Z/2026-04-27T00:00:00Z
grep -q 'note: the reporting period overlaps the baseline' "$work/overlap.err" || fail "overlap: $(cat "$work/overlap.err")"
holds overlap 'd["headline"] == json.load(open(sys.argv[1].replace("overlap", "plain")))["headline"]'
[ ! -s "$work/plain.err" ] || fail "plain: $(cat "$work/plain.err")"
# what cannot be told
told 4 few --db "$work/plain.db" --baseline 2026-03-02T00:00:00Z/2026-03-09T00:00:00Z
holds few 'd["verdict"] == "few-baseline-days" and d["headline"] is None'
told 4 short --db "$work/plain.db" --baseline "$split" --reporting 2026-04-01T00:00:00Z/2026-04-05T00:00:00Z
holds short 'd["verdict"] == "few-reporting-days"'
made same 56 28 1 1 same
told 4 same --db "$work/same.db" --baseline "$split"
holds same 'd["verdict"] == "same-control"'
told 0 measure --db "$work/same.db" --baseline "$split" --measure "new tower fill"
holds measure 'abs(p["total"]["saving_pct"]) < 1'
told 4 shadow --db "$work/same.db" --baseline shadow
holds shadow 'd["verdict"] == "never-in-force" and "never moved" in d["why"]'
sed '1s/sat_sp/other/' "$work/same.csv" >"$work/unknown.csv"
"$BIN/coolplane" import "$work/unknown.csv" --map "$work/import.yaml" --db "$work/unknown.db" >"$work/import.log" 2>&1 || fail "import unknown"
told 4 unknown --db "$work/unknown.db" --baseline "$split"
holds unknown 'd["verdict"] == "setpoints-not-known"'
told 4 unseen --db "$work/unknown.db" --baseline shadow
holds unseen 'd["verdict"] == "never-in-force" and "never moved" not in d["why"] and "of no setpoint is a whole day known" in d["why"]'
made packed 56 28 0.9 1 packed
told 4 packed --db "$work/packed.db" --baseline "$split"
holds packed 'd["verdict"] == "load-moved" and d["it_by_calendar"]["low_pct"] > 10'
told 4 packed0 --db "$work/packed.db" --baseline "$split" --it-response 0
holds packed0 'd["load"] == "calendar" and "which is the load of what is told here" in d["why"] and "With --it-response 0" in d["why"]'
told 0 calendar --db "$work/packed.db" --baseline "$split" --load calendar
holds calendar '12 < p["it"]["saving_pct"] < 18'
made blind 56 28 0.7 1 blind
told 4 blind --db "$work/blind.db" --baseline "$split"
holds blind 'd["verdict"] == "inlet-not-known" and d["headline"] is None and d["inlet_change_k"] is None'
told 0 blind0 --db "$work/blind.db" --baseline "$split" --it-response 0
holds blind0 'd["headline"]["exposure_rose"] is None and d["reporting"]["over_recommended_k_min_per_day"] is None'
"$BIN/coolplane" savings --config "$site" --db "$work/blind.db" --baseline "$split" --it-response 0 | grep -q 'inlets are not known' || fail "blind: the text"
made colder 56 28 0.7 1 colder
"$BIN/coolplane" savings --config "$site" --db "$work/colder.db" --baseline "$split" >"$work/colder.txt" || fail "colder: $(cat "$work/colder.txt")"
grep -q 'degree-minutes a day; that is more, though inlets were no warmer on average' "$work/colder.txt" && ! grep -q 'paid for with warmer' "$work/colder.txt" || fail "colder inlets: $(cat "$work/colder.txt")"
made gaps 56 28 0.7 1 gaps
told 4 gaps --db "$work/gaps.db" --baseline 2026-03-02T00:00:00Z/2026-03-16T00:00:00Z
holds gaps 'd["verdict"] == "few-baseline-days" and d["baseline"]["without"]["cooling"] == 7'
sed 's/^m.plant.pumps.power.*//' "$work/site/points.csv" | grep . >"$work/points.csv" && mv "$work/points.csv" "$work/site/points.csv"
told 4 meter --db "$work/plain.db" --baseline "$split"
holds meter 'd["verdict"] == "not-metered" and "pumps" in d["why"]'
# the telemetry of the yardstick: too short, and a log of fixed setpoints alone
sim=$BIN/coolplane-sim
"$sim" serve --site tiny --print-site "$work/tiny" >/dev/null || fail "print-site"
site=$work/tiny/site.yaml
days=${COOLPLANE_SAVINGS_DAYS:-0}
if [ "$days" -gt 0 ]; then length="--days $days"; else length="--hours 3"; fi
# shellcheck disable=SC2086
"$sim" compare --site tiny $length --warmup-hours 1 --controllers b0,b2 --log "$work/log" --json >"$work/rows.json" || fail "compare"
told 4 pid --db "$work/log/b0-1.db" --baseline shadow
holds pid 'd["verdict"] == "never-in-force" and ("never moved" if '"$days"' else "of no setpoint is a whole day known") in d["why"]'
if [ "$days" -gt 0 ]; then
  told 0 yard --db "$work/log/b2-1.db" --baseline "$work/log/b0-1.db" --load it
  python3 - "$work" <<'PY' || fail "not within 3 points of compare: $(cat "$work/yard.json")"
import json, sys
rows = {r["controller"]: r for r in json.load(open(sys.argv[1] + "/rows.json"))["rows"]}
d = json.load(open(sys.argv[1] + "/yard.json"))
true = 100 * (1 - rows["b2"]["total_kwh"] / rows["b0"]["total_kwh"])
h = d["headline"]
print("yardstick: true", round(true, 2), "told", round(h["saving_pct"], 2), [round(h["low_pct"], 2), round(h["high_pct"], 2)])
assert abs(h["saving_pct"] - true) < 3 and h["low_pct"] <= true <= h["high_pct"]
PY
else
  told 4 yard --db "$work/log/b2-1.db" --baseline "$work/log/b0-1.db"
  holds yard 'd["verdict"] == "few-baseline-days"'
fi
site=$work/site/site.yaml
# usage, and the words of the help
for bad in "" "--db $work/plain.db" "--db $work/plain.db --baseline $split --ab mode" "--db $work/plain.db --ab mode --load it" "--db $work/plain.db --baseline $split --precision 0" "--db $work/plain.db --baseline $split --skip 2d" "--db $work/plain.db --baseline $split --utc-offset yes" "--db $work/plain.db --baseline $split more"; do
  # shellcheck disable=SC2086
  "$BIN/coolplane" savings $bad >/dev/null 2>&1
  [ $? = 2 ] || fail "savings $bad is no usage error"
done
"$BIN/coolplane" savings --db "$work/plain.db" --baseline 2026-03-30T00:00:00Z/2026-03-02T00:00:00Z >"$work/usage.txt" 2>&1
[ $? = 2 ] && grep -q 'FROM is not before TO' "$work/usage.txt" || fail "a baseline that ends before it begins: $(cat "$work/usage.txt")"
"$BIN/coolplane" savings --config "$site" --db "$work/same.db" --baseline "$split" >/dev/full 2>/dev/null
[ $? = 74 ] || fail "a refusal that cannot be written is no 74"
told 65 text --db "$site" --baseline "$split"
"$BIN/coolplane" train --help | grep -q '^exit: 0 trained' || fail "train --help has no exit codes"
told 69 none --db "$work/none.db" --baseline "$split"
told 69 nobase --db "$work/plain.db" --baseline "$work/none.db"
told 65 nopoint --db "$work/plain.db" --baseline "$split" --load m/none
printf 'yesterday b\n' >"$work/bad.txt"
told 65 badfile --db "$work/turn.db" --ab "$work/bad.txt"
"$BIN/coolplane" savings --help | head -n 1 | grep -q '^coolplane savings --db' || fail "the help does not begin with an example"
pass "cooling $(python3 -c 'import json, sys; c = json.load(open(sys.argv[1]))["parts"]["cooling"]; print("%.1f %% [%.1f, %.1f], true 30" % (c["saving_pct"], c["low_pct"], c["high_pct"]))' "$work/plain.json")"
