#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check-live reads every point of a running plant once and writes nothing; a dead device, a wrong register and a silent broker are told apart.
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 20
check() { "$BIN/coolplane" check-live --config "${1:-$config}" "${time_args[@]}" "${@:2}"; }
check "$config" --json >"$work/live.json" 2>"$work/check.log" || fail "rc $?: $(cat "$work/check.log" "$work/live.json" | tail -n 20)"
"$BIN/coolplane" points list --config "$config" --json >"$work/points.json" || fail "points list"
python3 - "$work/live.json" "$work/points.json" <<'PY' || fail "the document"
import json, sys
live, points = (json.load(open(f)) for f in sys.argv[1:3])
read = {p["name"]: p for p in live["points"]}
want = [p["name"] for p in points if "R" in p["access"] and p["type"] != "string"]
assert sorted(read) == sorted(want), set(want) ^ set(read)
assert live["ok"] and all(p["quality"] == "GOOD" and p["value"] is not None and 0 <= p["after_ms"] < 60000 for p in read.values())
inlets = [p["value"] for n, p in read.items() if "inlet" in n]
assert inlets and all(10 < v < 40 for v in inlets), inlets
assert sum(d["points"] for d in live["devices"]) == len(want)
states = [d["supervised"] for d in live["devices"]]
assert states.count("local") >= 6 and "remote" not in states and "unreadable" not in states, states
PY
check >"$work/live.txt" 2>&1 || fail "text: rc $?"
grep -q '^device .* answers ' "$work/live.txt" || fail "no device line: $(cat "$work/live.txt")"

# a register the device has not: that point, exit 3
cp -r "$work/site" "$work/wrong"
csv=$work/wrong/profiles/crah-a.csv
sed -i 's/^supply_air_temp,,\([a-z]*\),[0-9]*,/supply_air_temp,,\1,65000,/' "$csv"
cmp -s "$csv" "$work/site/profiles/crah-a.csv" && fail "the profile was not changed"
check "$work/wrong/site.yaml" >"$work/wrong.txt" 2>&1
rc=$?
[ $rc = 3 ] || fail "a wrong address: rc $rc: $(cat "$work/wrong.txt")"
grep -q 'supply_air_temp .* BAD *bad-addr ' "$work/wrong.txt" || fail "the point is not named: $(grep supply_air "$work/wrong.txt")"
grep 'supply_air_temp_sp ' "$work/wrong.txt" | grep -vq GOOD && fail "its neighbour suffers: $(grep supply_air "$work/wrong.txt")"

# nobody behind a port, and no broker: exit 69, and both are named
cp -r "$work/site" "$work/dead"
port=$(grep -m1 -o 'port: [0-9]*' <(grep 'modbus-tcp' "$config") | cut -d' ' -f2)
sed -i "0,/port: $port/s//port: $(free_port)/" "$work/dead/site.yaml"
stop_pid "$broker"
check "$work/dead/site.yaml" --wait 4s >"$work/dead.txt" 2>&1
rc=$?
[ $rc = 69 ] || fail "a dead device: rc $rc: $(cat "$work/dead.txt")"
[ "$(grep -c '^device .* UNREACHABLE' "$work/dead.txt")" -ge 2 ] || fail "not told: $(grep ^device "$work/dead.txt")"
grep -q '^device .* no broker' "$work/dead.txt" || fail "the broker is not named: $(grep ^device "$work/dead.txt")"

stop_pid "$plant"
[ "$(wc -l <"$writes")" -le 1 ] || fail "something was written: $(cat "$writes")"
[ -e "$db" ] && fail "check-live left a database"
pass "$(python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(len(d["points"]), "points,", max(p["after_ms"] for p in d["points"]), "ms")' "$work/live.json")"
