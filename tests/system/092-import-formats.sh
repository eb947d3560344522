#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What buildings export, one file a format, made here: every row accounted for, the same database after kill -9 as in one
# go, and memory that does not grow with the file (COOLPLANE_IMPORT_ROWS, 10^6; the claim in full is 10^8). Then the real
# and simulated logs of COOLPLANE_DATA that no other test imports.
. "$(dirname "$0")/lib.sh"
need sqlite3
rows=${COOLPLANE_IMPORT_ROWS:-1000000}
rss_max_mib=32
mkdir "$work/in"
cd "$work/in" || fail "cd"
cat >site.yaml <<'YAML'
site: { name: t, latitude: 52, longitude: 13, elevation_m: 30, fast_step: 1m, slow_step: 15m }
zones: [ { name: room } ]
equipment: [ { name: crah, brick: Computer_Room_Air_Handler, zone: room } ]
points: [ points.csv ]
YAML
cat >points.csv <<'CSV'
name,table,key,unit,valid_min,valid_max,stale_after,brick,equipment,access,min,max,default,max_step,safe_dir
t/room/crah/supply,log,SAT,degC,0,60,5m,Supply_Air_Temperature_Sensor,,,,,,,
t/room/crah/return,log,RAT,degC,0,60,5m,Return_Air_Temperature_Sensor,,,,,,,
t/room/crah/static,log,DP,Pa,0,2000,5m,Supply_Air_Static_Pressure_Sensor,,,,,,,
CSV
python3 - <<'PY' || fail "fixtures"
import datetime
def put(name, text, encoding="utf-8"):
    open(name, "wb").write(text.encode(encoding))
t0 = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
at = lambda i: t0 + datetime.timedelta(minutes=i)
n = 1000
# long: tags out of step with each other; a tag nobody has, a bad quality, a word nobody knows, the same row twice
head = "DateTime,TagName,TagVal,TagQuality\n"
body = "".join(f"{at(i):%Y-%m-%d %H:%M:%S},{('SAT','RAT')[i%2]},{18+i%7},Good\n" for i in range(n))
put("long.csv", head + body + f"{at(n):%Y-%m-%d %H:%M:%S},XX,1,Good\n{at(n):%Y-%m-%d %H:%M:%S},SAT,1,Bad\n"
    f"{at(n+1):%Y-%m-%d %H:%M:%S},SAT,1,Odd\n" + body.splitlines(True)[-1] + "Total,,1,\n")
put("long.yaml", 'site: site.yaml\nshape: long\ntime: { column: DateTime, format: "%Y-%m-%d %H:%M:%S", zone: UTC }\n')
# Niagara: a point a file, °F, statuses
status = ["ok", "ok", "ok", "fault", "stale", "down", "null", "alarm,unackedAlarm", "overridden @ 8", "ok"]
put("hist_SAT.csv", "Timestamp,Trend Flags,Status,Value (°F)\n" + "".join(
    f"{at(i):%d-%b-%y %I:%M:%S %p} UTC,{{}},{{{status[i%10]}}},{64+i%7}.5\n" for i in range(n)))
put("niagara.yaml", 'site: site.yaml\nshape: history\nfiles: { "hist_*.csv": "*" }\n'
    'time: { column: Timestamp, format: "%d-%b-%y %I:%M:%S %p %Z", zone: Europe/Berlin }\n')
# wide, as a German machine writes it: UTF-16 with its mark, semicolons, commas, split date and time, words for nothing
german = "Datum;Uhrzeit;SAT (°C);DP [inWC]\r\n"
german += "".join(f"{at(i):%d.%m.%Y};{at(i):%H:%M:%S};{'***' if i%100==0 else str(18.5+i%7).replace('.',',')};"
                  f"{'No Data' if i%50==0 else '1,4'}\r\n" for i in range(n))
german += "Summe;;18;1\r\nEnde\r\n"
put("german.csv", "\ufeff" + german, "utf-16-le")
put("german-latin1.csv", german, "latin-1")
put("german.yaml", 'site: site.yaml\ndelimiter: ";"\ndecimal: ","\nmissing: ["", "***", "No Data"]\nsummary: [Summe, Ende]\n'
    'time: { column: [Datum, Uhrzeit], format: "%d.%m.%Y %H:%M:%S", zone: UTC }\n')
# BACnet trend log: sequence numbers, records of the log itself, a buffer that was overwritten
trend = "Sequence,Timestamp,Value,Status\n1,2026-03-01 00:00:00,log-enabled,\n"
trend += "".join(f"{i+2+(10 if i>500 else 0)},{at(i):%Y-%m-%d %H:%M:%S},{18+i%7},\"{{f,{'ft'[i%4==0]},f,f}}\"\n" for i in range(n))
trend += f"{n+12},{at(n):%Y-%m-%d %H:%M:%S},buffer-purged,\n{n+13},{at(n):%Y-%m-%d %H:%M:%S},time-change,\n"
put("RAT.csv", trend)
put("bacnet.yaml", 'site: site.yaml\nshape: history\nfiles: { "RAT.csv": RAT }\n'
    'time: { column: Timestamp, format: "%Y-%m-%d %H:%M:%S", zone: UTC }\n')
put("contradiction.csv", "DateTime,SAT (psi)\n2026-03-01 00:00:00,1\n")
put("hostile.csv", "DateTime,\x1b]0;owned\x07 [degC],SAT (psi)\n2026-03-01 00:00:00,1,1\n")
put("escapes.csv", "DateTime,SAT\n\x1b[2J\x9b31mnoon é,1\n2026-03-01 00:00:00,18\n")
put("hostile.yaml", 'site: site.yaml\ntime: { column: DateTime, format: "%Y-%m-%d %H:%M:%S", zone: UTC }\ncolumns: { "\\e]0;owned\\a [degC]": t/room/crah/static }\n')
put("wide.yaml", 'site: site.yaml\ntime: { column: DateTime, format: "%Y-%m-%d %H:%M:%S", zone: UTC }\n')
PY
import() { # NAME MAP DB FILE…: report in NAME.json, messages in ../NAME.log
  local name=$1 map=$2 db=$3
  shift 3
  "$BIN/coolplane" import "$@" --map "$map" --db "$db" --json >"$name.json" 2>"$work/$name.log"
}
# holds NAME DB 'EXPRESSION OVER THE REPORT d AND THE QUERY q': and nothing is lost between file and report
holds() {
  python3 - "$1.json" "$2" "$3" <<'PY' || fail "$1: $3: $(cat "$1.json")"
import json, sqlite3, sys
d = json.load(open(sys.argv[1]))["files"][0]
db = sqlite3.connect(f"file:{sys.argv[2]}?mode=ro", uri=True)
q = lambda sql: db.execute(sql).fetchone()[0]
assert d["rows"] == d["ok"] + d["bad"] + d["duplicates"] + d["events"], "rows"
assert d["bad"] == sum(d["bad_by_reason"].values()), "bad"
assert d["events"] == sum(d["events_by_kind"].values()), "events"
assert d["samples"] == d["samples_good"] + sum(d["bad_samples_by_reason"].values()), "samples"
assert set(d["bad_by_reason_first_line"]) == {k for k, v in d["bad_by_reason"].items() if v}, "first lines"
assert eval("(" + sys.argv[3] + ")"), sys.argv[3]
PY
}
import long long.yaml long.db long.csv || fail "long"
holds long long.db 'd["rows"] == 1005 and d["ok"] == 1002 and d["duplicates"] == 1 and d["bad_by_reason"]["unmapped_tag"] == 1 and
  d["bad_by_reason"]["summary_line"] == 1 and d["bad_by_reason_first_line"]["summary_line"] == 1006 and d["unknown_status"] == 1 and
  d["first_line"]["duplicates"] == 1005 and d["samples_good"] == 1000 and d["columns_used"] == 2 and q("SELECT count(*) FROM sample") == 1002'
import niagara niagara.yaml niagara.db hist_SAT.csv || fail "niagara"
holds niagara niagara.db 'd["rows"] == d["ok"] == 1000 and d["samples_good"] == 500 and d["bad_samples_by_reason"] == {"comm-fail": 100, "stale": 100,
  "source": 300} and d["units"] == [{"column": "Value (°F)", "point": "t/room/crah/supply", "from": "degF", "to": "degC"}] and
  abs(q("SELECT value FROM sample ORDER BY t_ms LIMIT 1") - (64.5 - 32) / 1.8) < 1e-9 and d["encoding"] == "UTF-8"'
import german german.yaml german.db german.csv || fail "UTF-16"
holds german german.db 'd["rows"] == 1002 and d["ok"] == 1000 and d["bad_by_reason"]["summary_line"] == 2 and d["encoding"] == "UTF-16LE" and
  d["bad_samples_by_reason"] == {"source": 30} and d["median_interval_s"] == 60 and
  abs(q("SELECT value FROM sample WHERE value > 100 LIMIT 1") - 1.4 * 249.08891) < 1e-6'
import latin1 german.yaml german.db german-latin1.csv || fail "Latin-1"
holds latin1 german.db 'd["encoding"] == "ISO-8859-1" and d["duplicates"] == 1000 and d["samples_contradicting"] == 0'
import bacnet bacnet.yaml bacnet.db RAT.csv || fail "BACnet"
holds bacnet bacnet.db 'd["rows"] == 1003 and d["ok"] == 1000 and d["events_by_kind"] == {"log_enabled": 1, "buffer_purged": 1, "clock_changed": 1}
  and d["sequence_gaps"] == 1 and d["sequence_lost"] == 10 and d["samples_good"] == 750'
import contradiction wide.yaml contradiction.db contradiction.csv
[ $? = 65 ] || fail "a unit that contradicts the point map is no error"
grep -q "contradiction.csv:1: column 'SAT (psi)' is in psi, but point t/room/crah/supply is in degC" "$work/contradiction.log" ||
  fail "the contradiction is not named: $(cat "$work/contradiction.log")"
# what the map names and the file does not have: by name, as text and as JSON; with none of them left it is refused
printf 'T,SAT,Supply  Fan,c1,c2,c3,c4,c5\n2026-03-01 00:00:00,17,50,,,,,\n' >typo.csv
printf 'site: site.yaml\ntime: { column: T, format: "%%Y-%%m-%%d %%H:%%M:%%S", zone: UTC }\ncolumns: { Supply Fan: t/room/crah/static, RatSP: RAT }\n' >typo.yaml
import typo typo.yaml typo.db typo.csv || fail "typo"
holds typo typo.db 'd["map_columns_not_in_file"] == ["Supply Fan", "RatSP"] and d["unused_columns"] == ["Supply  Fan"] + [f"c{i}" for i in range(1, 6)] and
  d["points_without_data"] == ["t/room/crah/return", "t/room/crah/static"]'
grep -q "^typo.csv:1: the map's columns 'Supply Fan', 'RatSP' are not in the header$" "$work/typo.log" || fail "typo: $(cat "$work/typo.log")"
"$BIN/coolplane" import typo.csv --map typo.yaml --db typo.db >"$work/typo.txt" 2>/dev/null || fail "typo: text"
grep -q "^    not used  *'Supply  Fan', 'c1', 'c2', 'c3', 'c4' and 1 more$" "$work/typo.txt" || fail "typo: $(cat "$work/typo.txt")"
sed 's/,SAT,/,Sat,/' typo.csv >none-left.csv
import none-left typo.yaml typo.db none-left.csv
[ $? = 65 ] && grep -q "^none-left.csv:1: the map's columns 'Supply Fan', 'RatSP' are not" "$work/none-left.log" || fail "none left: $(cat "$work/none-left.log")"
# a file that ends in the middle of a number: its last row waits until it has grown, or for --whole
printf 'DateTime,SAT,DP\n2026-03-01 00:00:00,17,50\n2026-03-01 00:01:00,17,5' >cut.csv
import cut wide.yaml cut.db cut.csv || fail "cut"
holds cut cut.db 'd["rows"] == 1 and d["held_back_line"] == 3 and q("SELECT count(*) FROM sample") == 2'
"$BIN/coolplane" import cut.csv --map wide.yaml --db cut.db | grep -q 'line 3 has no line end .* --whole$' || fail "cut: the text"
grep -q '^cut.csv:3: warning: .*no line end.*--whole$' "$work/cut.log" || fail "cut: $(cat "$work/cut.log")"
printf '5' >>cut.csv
import cut wide.yaml cut.db --whole cut.csv || fail "whole"
holds cut cut.db 'd["ok"] == 1 and d["duplicates"] == 1 and d["held_back_line"] == 0 and q("SELECT max(value) FROM sample") == 55'
# decimal commas read with points: no log
printf 'DateTime;SAT\n2026-03-01 00:00:00;17,50\n' >comma.csv
{ cat wide.yaml; echo 'delimiter: ";"'; } >comma.yaml
import comma comma.yaml comma.db comma.csv
[ $? = 65 ] && grep -q "comma.csv:2: no value is a number: '17,50' is none with decimal '.', but with ','" "$work/comma.log" || fail "comma: $(cat "$work/comma.log")"
# … with one number among them: the column is named, exit 65, and the file read again with the right map puts it right
printf 'DateTime;SAT\n2026-03-01 00:00:00;17\n2026-03-01 00:01:00;17,25\n2026-03-01 00:02:00;17,5\n' >commas.csv
import commas comma.yaml commas.db commas.csv
[ $? = 65 ] && grep -q '^commas.csv:3: 2 of 3 cells of t/room/crah/supply are no number, this one the first$' "$work/commas.log" && grep -q '^commas.csv: decimal or missing of the map?' "$work/commas.log" || fail "commas: $(cat "$work/commas.log")"
holds commas commas.db 'd["bad_samples_first"]["parse"] == {"line": 3, "point": "t/room/crah/supply", "column": "SAT", "text": "17,25"} and d["columns_unreadable"][0]["unreadable"] == 2'
{ cat comma.yaml; echo 'decimal: ","'; } >commas.yaml
import commas commas.yaml commas.db commas.csv || fail "commas, the right map"
holds commas commas.db 'd["samples_replaced"] == 2 and d["ok"] == 2 and d["duplicates"] == 1 and q("SELECT sum(value) FROM sample") == 51.75 and d["columns_unreadable"] == []'
"$BIN/coolplane" db verify --db commas.db >"$work/verify.log" 2>&1 || fail "counters after that: $(cat "$work/verify.log")"
# another site's file in this site's database
sed 's|t/room|u/room|' points.csv >other.csv && sed 's/name: t,/name: u,/; s/points.csv/other.csv/' site.yaml >other-site.yaml && sed 's/site.yaml/other-site.yaml/' wide.yaml >other.yaml
printf 'DateTime,SAT\n2026-03-01 00:00:00,17\n' >one.csv
import other other.yaml long.db one.csv
[ $? = 65 ] && grep -q 'long.db is of another site: it holds 3 points (t/room/crah/supply …) and none of the 3 of u (u/room/crah/supply …)' "$work/other.log" || fail "another site: $(cat "$work/other.log")"
[ "$(sqlite3 -readonly long.db "SELECT count(*) FROM point WHERE name LIKE 'u/%'")" = 0 ] || fail "another site: points"
import other other.yaml long.db --add-points one.csv || fail "--add-points: $(cat "$work/other.log")"
# one row of a wrong clock
printf 'DateTime,SAT\n2026-03-01 00:00:00,17\n2099-01-01 00:00:00,17\n1970-01-01 00:00:00,17\n' >clock.csv
import clock wide.yaml clock.db clock.csv || fail "clock"
holds clock clock.db 'd["ok"] == 1 and d["bad_by_reason"]["implausible_time"] == 2 and d["span"][1] == "2026-03-01T00:00:00.000Z"'
grep -q "^clock.csv:3: implausible_time: '2099-01-01 00:00:00'" "$work/clock.log" || fail "clock: $(cat "$work/clock.log")"
# days and months in two orders: told, with the first line of each
printf 'DateTime,SAT\n01/07/2026 00:00,17\n01/13/2026 00:00,17\n13/01/2026 01:00,17\n' >orders.csv
printf 'site: site.yaml\ntime: { column: DateTime, format: ["%%m/%%d/%%Y %%H:%%M", "%%d/%%m/%%Y %%H:%%M"], zone: UTC }\n' >orders.yaml
import orders orders.yaml orders.db orders.csv || fail "orders"
holds orders orders.db '[p["first_line"] for p in d["time_patterns"]] == [2, 4] and d["several_time_patterns"] == 1'
grep -q "^orders.csv:2: 1 row may be misread.*'%m/%d/%Y %H:%M' (first: line 2), '%d/%m/%Y %H:%M' (first: line 4)$" "$work/orders.log" || fail "orders: $(cat "$work/orders.log")"
sed -i 2d orders.csv && sed -i '$d' orders.csv # 01/13 alone decides
import ordered orders.yaml ordered.db orders.csv && [ ! -s "$work/ordered.log" ] || fail "one order: $(cat "$work/ordered.log")"
# a file that is not there; what would command a terminal is told without doing so
import none wide.yaml none.db none.csv
[ $? = 74 ] && grep -q 'none.csv' "$work/none.log" || fail "a file that is not there: $(cat "$work/none.log")"
import escapes wide.yaml escapes.db escapes.csv || fail "escapes"
grep -q "escapes.csv:2: unreadable_time: '?\[2J??31mnoon é'" "$work/escapes.log" || fail "the bad row is not told: $(cat -v "$work/escapes.log")"
import hostile hostile.yaml hostile.db hostile.csv && fail "degC is no pressure"
grep -q "column '?\]0;owned? \[degC\]' is in degC" "$work/hostile.log" || fail "the column is not told: $(cat -v "$work/hostile.log")"
! grep -q "$(printf '\033')" "$work/hostile.log" "$work/escapes.log" || fail "an escape sequence reaches the terminal"
"$BIN/coolplane" import long.csv --map long.yaml --db text.db >"$work/text.log" 2>&1 || fail "text"
grep -q '^    unmapped_tag      1 (first: line 1002)' "$work/text.log" || fail "text: $(cat "$work/text.log")"
grep -q 'rows  *1005 = 1002 ok + 2 bad + 1 duplicate + 0 events' "$work/text.log" || fail "text: $(cat "$work/text.log")"
"$BIN/coolplane" import --help | head -n 1 | grep -q example || fail "the help does not begin with an example"

# interrupted and called again: the same database and the same report as in one go
generate() { # ROWS: change-of-value readings of two tags, made on the fly
  awk -v n="$1" 'BEGIN {
    print "DateTime,TagName,TagVal,TagQuality"
    for (i = 0; i < n; i++)
      printf "%d.%03d,%s,%.2f,%s\n", 1767225600 + int(i / 4), i % 4 * 250, i % 2 ? "SAT" : "RAT", 18 + i % 700 / 100, i % 1000 ? "Good" : "Bad"
  }'
}
sed 's/format: "[^"]*"/format: "%s"/' long.yaml >epoch.yaml
generate 600000 >big.csv
import whole epoch.yaml whole.db big.csv || fail "one go"
holds whole whole.db 'd["rows"] == d["ok"] == 600000 and d["samples_good"] == 599400'
killed=0
for _ in 1 2 3 4 5 6 7 8; do
  "$BIN/coolplane" import big.csv --map epoch.yaml --db killed.db --json >killed.json 2>"$work/killed.log" &
  pid=$!
  pids+=("$pid")
  before=$(sqlite3 -readonly killed.db 'SELECT value FROM counter WHERE name = "samples"' 2>/dev/null || echo 0)
  wait_for 20 '! kill -0 $pid 2>/dev/null || [ "$(sqlite3 -readonly killed.db "SELECT value FROM counter WHERE name = '"'samples'"'" 2>/dev/null || echo 0)" -gt "$before" ]'
  kill -KILL "$pid" 2>/dev/null && killed=$((killed + 1))
  wait "$pid" 2>/dev/null
  unset 'pids[-1]'
  [ $killed = 2 ] && break
done
[ $killed -ge 1 ] || fail "the import was never caught alive"
import killed epoch.yaml killed.db big.csv || fail "after kill -9"
holds killed killed.db 'd["resumed_rows"] > 0 and d["rows"] == d["ok"] == 600000 and d["duplicates"] == 0'
digest() { sqlite3 -readonly "$1" 'SELECT t_ms, point_id, value, raw, quality, reason FROM sample ORDER BY t_ms, point_id' | sha256sum; }
[ "$(digest whole.db)" = "$(digest killed.db)" ] || fail "another database than in one go"
python3 - <<'PY' || fail "another report than in one go"
import json
a, b = (json.load(open(f))["files"][0] for f in ("whole.json", "killed.json"))
assert {**a, "resumed_rows": 0} == {**b, "resumed_rows": 0}, (a, b)
PY
rm -f big.csv whole.db* killed.db*

# memory: rows that never lie in a file
rss=$(generate "$rows" | python3 -c 'import resource, subprocess, sys
rc = subprocess.run(sys.argv[1:], stdout=open("memory.json", "w")).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(rc)' "$BIN/coolplane" import /dev/stdin --map epoch.yaml --db memory.db --json 2>"$work/memory.log") || fail "import of $rows rows"
at_most "peak memory, MiB" "$rss" $rss_max_mib
holds memory memory.db "d['rows'] == d['ok'] == $rows and d['bad_samples_by_reason'] == {'source': ($rows + 999) // 1000}"
rm -f memory.db*

# the logs of the data folder: every column a point in the unit that data.md names
data=${COOLPLANE_DATA:-$SRC/../shared/data}/telemetry
[ -d "$data" ] || { echo "SKIP: the real logs: COOLPLANE_DATA has no telemetry/ (all else passed, peak memory $rss MiB)"; exit 77; }
real() { # NAME FILE TIME_COLUMN FORMAT ZONE 'EXPRESSION'
  local name=$1 file=$2 column=$3 format=$4 zone=$5 expression=$6 lines
  lines=$(($(wc -l <"$file") - 1))
  mkdir "$name"
  python3 - "$file" "$column" "$name" "$format" "$zone" <<'PY' || fail "$name: no site"
import csv, re, sys
path, time, name, form, zone = sys.argv[1:]
head = [h.strip() for h in next(csv.reader(open(path)))]
unit = lambda h: ("degF" if "Temperature" in h else "kelvin" if re.search(r"(^|[._])T[A-Z][A-Za-z0-9]*(_y|\.T|\.y)?$|TSet|TDryBul|TWetBul|TDewPoi", h)
                  and not re.search(r"_activate$", h) else "W" if re.search(r"_P[A-Z]?[A-Za-z]*_y$|\.P$", h) else "")
with open(f"{name}/points.csv", "w") as f:
    w = csv.writer(f)
    w.writerow("name,table,key,unit,brick,equipment,access,min,max,default,max_step,safe_dir".split(","))
    for i, h in enumerate(head):
        if h != time:
            w.writerow([f"t/room/device/p{i}", "log", h, unit(h)] + [""] * 8)
open(f"{name}/site.yaml", "w").write("site: { name: t, latitude: 0, longitude: 0, elevation_m: 0, fast_step: 1m, slow_step: 15m }\n"
    "zones: [ { name: room } ]\nequipment: [ { name: device, brick: Computer_Room_Air_Handler, zone: room } ]\npoints: [ points.csv ]\n")
open(f"{name}/import.yaml", "w").write(f'site: site.yaml\ntime: {{ column: "{time}", format: "{form}", zone: {zone} }}\nmissing: ["", "#VALUE!"]\n')
PY
  import "$name" "$name/import.yaml" "$name.db" "$file" || fail "$name: $(tail -n 3 "$work/$name.log")"
  holds "$name" "$name.db" "d['rows'] == $lines and d['columns_used'] == d['columns'] - 1 and
    d['samples'] + d['samples_duplicate'] == d['ok'] * d['columns_used'] and ($expression)"
}
# its clock does not know the night of 12 March 2017, when the hour from 2:00 does not exist in California
real szcav "$data/lbnl_fdd_SZCAV.csv" Datetime '%m/%d/%Y %H:%M' '"-08:00"' \
  "d['ok'] == 21600 and d['bad_samples_by_reason'] == {'source': 90} and d['gaps'] == 3 and d['first_line']['gaps'] == 2882"
zone=America/Los_Angeles
[ -f "${TZDIR:-/usr/share/zoneinfo}/$zone" ] && real szcav-dst "$data/lbnl_fdd_SZCAV.csv" Datetime '%m/%d/%Y %H:%M' $zone \
  "d['ok'] == 21540 and d['bad'] == d['bad_by_reason']['nonexistent_time'] == 60 and d['bad_by_reason_first_line']['nonexistent_time'] == 1562"
for f in initialize_advance peak_cool_day typical_cool_day; do
  real "boptest-$f" "$data/boptest/mzosa_results_$f.csv" time %s UTC "d['ok'] == 500 and d['gaps'] == 0"
done
for f in "$data"/lbnl_modelica_dc/ref_*.csv; do
  real "modelica-$(basename "$f" | cksum | cut -d' ' -f1)" "$f" time_s %s UTC "d['ok'] == 101 and d['gaps'] == 0"
done
pass "peak memory $rss MiB at $rows rows"
