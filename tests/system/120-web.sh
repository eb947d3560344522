#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The console beside a real gate and plant: page, parts, JSON, metrics; what it refuses; before the gate is there and after.
. "${SRC:?}/tests/system/lib.sh"
need curl
start_broker
start_plant tiny 60

web_log=$work/web.log
"$BIN/coolplane-web" --config "$config" --port 0 "${time_args[@]}" >"$web_log" 2>&1 &
web=$!
pids+=("$web")
wait_for 10 'grep -q "console at" "$web_log"' || fail "the console does not start"
url=$(sed -n 's/.*console at \(http:[^ ]*\)\/.*/\1/p' "$web_log")
fetch() { curl -sS -m 10 -o "$work/body" -w '%{http_code}' "$@"; }
expect() { # expect STATUS [curl options] PATH
  local want=$1 got
  shift
  got=$(fetch "${@:1:$#-1}" "$url${!#}")
  [ "$got" = "$want" ] || fail "${!#}: status $got, expected $want"
}

# before there is anything
expect 200 /
expect 200 /healthz
expect 200 /api/status
grep -q '"link":"not running"' "$work/body" || fail "no word of the missing gate"
expect 503 /api/series
expect 200 /metrics
grep -qx 'coolplane_gate_up 0' "$work/body" || fail "gate_up is not 0"

start_gate --mode live
start_planner
wait_for 60 'curl -s -m 5 "$url/api/decisions?limit=5" | grep -q "\"step\":3,"' || fail "no third decision on the console"
wait_for 60 'curl -s -m 5 "$url/metrics" | grep -q "writes_total{.*ACCEPTED\"} [1-9]"' || fail "no accepted write in the metrics"

# page and parts: nothing from elsewhere, nothing inline
expect 200 /
grep -q 'Rack inlets against limits' "$work/body" || fail "not the page"
grep -Eq 'https?://|<script>|<style|style=| on[a-z]+=' "$work/body" && fail "the page has outside or inline parts"
for part in app.js style.css icon.svg dygraph.min.js dygraph.min.css; do expect 200 "/static/$part"; done
etag=$(curl -sSI "$url/static/app.js" | tr -d '\r' | sed -n 's/^ETag: //p')
[ -n "$etag" ] || fail "no ETag"
expect 304 -H "If-None-Match: $etag" /static/app.js
head=$(curl -sSI "$url/api/status" | tr -d '\r')
for h in "Content-Security-Policy: default-src 'self'" 'X-Content-Type-Options: nosniff' 'Cache-Control: no-store'; do
  grep -q "^$h" <<<"$head" || fail "header missing: $h"
done

# JSON
expect 200 /api/status
python3 - "$work/body" <<'PY' || fail "status"
import json, sys
s = json.load(open(sys.argv[1]))
assert s["site"] == "tiny" and s["gate"]["link"] == "running", s["gate"]["link"]
assert s["gate"]["status"]["mode"] in ("ACTIVE", "HOLD", "FALLBACK"), s["gate"]["status"]["mode"]
assert s["run"]["mode"] == "live"
assert 15 < s["inlet"]["median_c"] <= s["inlet"]["max_c"] < 45, s["inlet"]
assert s["inlet"]["reporting"] == s["inlet"]["total"] > 0
assert s["points"]["total"] == s["points"]["good"] + s["points"]["uncertain"] + s["points"]["bad"] + s["points"]["no_sample_yet"]
assert s["database"]["samples"] > 100
PY
expect 200 '/api/series?hours=1'
python3 - "$work/body" <<'PY' || fail "series"
import json, sys
s = json.load(open(sys.argv[1]))
rows = [dict(zip(s["columns"], r)) for r in s["rows"]]
assert 2 <= len(rows) <= 500, len(rows)
assert all(a["t_ms"] < b["t_ms"] for a, b in zip(rows, rows[1:]))
assert rows[-1]["inlet_max_c"] >= rows[-1]["inlet_median_c"] > 15
assert rows[-1]["it_w"] > 1000 and 0 < rows[-1]["fan_mean_ratio"] <= 1
PY
expect 400 '/api/series?hours=0'
expect 400 '/api/series?hours=169'
expect 400 '/api/series?hours=1e1'
expect 400 '/api/decisions?limit=501'
expect 200 '/api/events?limit=3&severity=5'
grep -q '"component":' "$work/body" || fail "no event"
grep -q '"severity":"\(info\|debug\)"' "$work/body" && fail "an event below notice"
expect 400 '/api/events?severity=8'
expect 404 /api/nothing
expect 404 /static/%2e%2e/%2e%2e/etc/passwd

# metrics, read strictly
expect 200 /metrics
python3 - "$work/body" <<'PY' || fail "metrics"
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
assert text.endswith("\n")
sample = re.compile(r'([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\+Inf|NaN|-?[0-9.]+(?:e[+-]?[0-9]+)?)$')
families, seen, family, kind = {}, {}, None, None
for line in text.splitlines():
    if line.startswith("# HELP "):
        family = line.split(" ", 3)[2]
        assert family not in families and line.split(" ", 3)[3], line
    elif line.startswith("# TYPE "):
        name, kind = line.split(" ")[2:]
        assert name == family and kind in ("gauge", "counter", "histogram"), line
        assert (kind == "counter") == name.endswith("_total"), line
        assert re.search("_(celsius|seconds|bytes|info|total|up|mode|score)$", name) and name.startswith("coolplane_"), name
        families[name] = kind
    else:
        m = sample.match(line)
        assert m, line
        base = re.sub("_(bucket|sum|count)$", "", m[1]) if kind == "histogram" else m[1]
        assert base == family, line
        assert (m[1], m[2]) not in seen, line
        seen[m[1], m[2]] = float(m[3])
for name in ("build_info mode point_age_seconds poll_errors_total safety_interventions_total db_bytes "
             "samples_dropped_total db_unstored_seconds last_cycle_timestamp_seconds failback_total solver_seconds writes_total").split():
    assert "coolplane_" + name in families, name
modes = {l: v for (n, l), v in seen.items() if n == "coolplane_mode"}
assert sum(modes.values()) == 1 and len(modes) == 5, modes
assert seen["coolplane_gate_up", None] == 1 and seen["coolplane_planner_up", None] == 1
inf = seen["coolplane_solver_seconds_bucket", 'le="+Inf"']
assert inf == seen["coolplane_solver_seconds_count", None] > 0
ages = [v for (n, _), v in seen.items() if n == "coolplane_point_age_seconds"]
assert ages and min(ages) < 600, min(ages)
PY
lines=$(grep -c . "$work/body")
grep -q '^coolplane_point_value' "$work/body" && fail "point values without being asked"
grep -q '^coolplane_poll_errors_total{device="crah-1",unit_id="[0-9]*",code="timeout"} [0-9]' "$work/body" || fail "no poll errors by code"
expect 200 '/metrics?values=1'
[ "$(grep -c '^coolplane_point_value{point=' "$work/body")" -ge 50 ] || fail "no point values when asked"
expect 400 '/metrics?values=2'

# the planner leaves: no proposal, then FALLBACK, all of it visible
stop_pid "$planner"
metric() { curl -s -m 5 "$url/metrics" | grep -q "^$1"; }
wait_for 10 'metric "coolplane_planner_up 0"' || fail "the planner's end is not seen"
wait_for 60 "metric 'coolplane_failback_total{reason=\"no-proposal\"} 1'" || fail "no fallback counted"
metric 'coolplane_safety_interventions_total{constraint="no-proposal"} [1-9]' || fail "no intervention counted"
wait_for 10 "metric 'coolplane_mode{mode=\"FALLBACK\"} 1'" || fail "mode is not FALLBACK"

# what it refuses
expect 405 -X POST -d x=1 /api/status
expect 405 -X PUT -d x=1 /
expect 405 -X DELETE /api/status
expect 405 -X OPTIONS /
expect 403 -H 'Host: evil.example' /api/status
expect 403 -H "Host: localhost.evil.example:${url##*:}" /
expect 200 -H "Host: localhost:${url##*:}" /healthz
expect 400 -0 -H 'Host:' /
expect 431 -H "X-Long: $(head -c 40000 /dev/zero | tr '\0' a)" /

# a request that dribbles in is dropped, and others are served meanwhile
python3 - "${url##*:}" <<'PY' || fail "a dribbling request is kept, or keeps others out"
import socket, sys, time, urllib.request
port = int(sys.argv[1])
c = socket.create_connection(("127.0.0.1", port))
c.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
start, answer = time.monotonic(), b""
c.settimeout(0.5)
while time.monotonic() - start < 14:
    try:
        c.sendall(b"X: y\r\n")
        if not c.recv(4096):
            break
    except TimeoutError:
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).status == 200
    except OSError:
        break
assert 9 < time.monotonic() - start < 13, time.monotonic() - start
PY

# the gate leaves: the console says so and still shows what is stored
stop_pid "$gate"
wait_for 10 'curl -s -m 5 "$url/api/status" | grep -q "\"link\":\"not running\""' || fail "the gate's end is not seen"
expect 200 '/api/series?hours=1'
expect 200 /metrics
grep -qx 'coolplane_gate_up 0' "$work/body" || fail "gate_up is not 0"

kill -TERM "$web"
wait "$web" || fail "SIGTERM: exit $?"
pass "page, JSON, metrics ($lines lines), refusals"
