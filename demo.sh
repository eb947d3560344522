#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One simulated day of the site `hall`, about five minutes: first shadow, then live. Installs and builds what is missing,
# starts a private broker, the plant, the gate, the planner and the console, prints what was saved, stops everything.
#   ./demo.sh [--weather FILE.epw|FILE.json] [--workload FILE.csv] [--hours N] [--site tiny|hall] [--out DIR] [--keep]
# --out: where demo-report.html and .json go (here). COOLPLANE_BIN=DIR: the executables there, nothing is built.
set -u
cd "$(dirname "$0")" || exit 1
root=$PWD
. deploy/packages.sh

weather='' workload='' hours=24 keep=0 site=hall scale=360 shadow_h=2 explore_h=3 settle_h=2 out=$root
usage() { echo "demo.sh: $* (see ./demo.sh --help)" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --weather|--workload|--hours|--site|--out) [ $# -ge 2 ] || usage "$1 needs a value" ;;&
    --weather|--workload) [ -f "$2" ] && [ -r "$2" ] || usage "$1: '$2' is not a file that can be read" ;;&
    --weather) weather=$(realpath "$2"); shift 2 ;;
    --workload) workload=$(realpath "$2"); shift 2 ;;
    --hours) hours=$2; shift 2 ;;
    --site) site=$2; shift 2 ;;
    --out) [ -d "$2" ] || usage "--out: '$2' is not a folder"; out=$(realpath "$2"); shift 2 ;;
    --keep) keep=1; shift ;;
    -h|--help) sed -n '3,6p' "$0" | cut -c3-; exit 0 ;;
    *) usage "unknown option $1" ;;
  esac
done
[[ $hours =~ ^[1-9][0-9]*$ ]] || usage "--hours takes a whole number from 1, not '$hours'"
[[ $site =~ ^(tiny|hall)$ ]] || usage "--site is tiny or hall, not '$site'"

install_packages $packages_build $packages_run python3 curl || { echo "demo.sh: packages could not be installed" >&2; exit 69; }
bin=${COOLPLANE_BIN:-}
if [ -z "$bin" ]; then
  bin=$root/build/release/bin
  build_log=$(mktemp)
  { cmake --preset release -DCOOLPLANE_TESTS=OFF && cmake --build --preset release; } >"$build_log" 2>&1 ||
    { tail -n 30 "$build_log" >&2; exit 1; }
  rm -f "$build_log"
fi

work=$(mktemp -d /tmp/coolplane-demo.XXXXXX)
pids=()
stop() { # stop NAME PID: end one process of ours and wait for it
  kill -TERM "$2" 2>/dev/null && wait "$2" 2>/dev/null
}
cleanup() {
  for p in "${pids[@]}"; do kill -TERM "$p" 2>/dev/null; done
  for p in "${pids[@]}"; do wait "$p" 2>/dev/null; done
  [ $keep = 1 ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
fail() { echo "demo.sh: $*" >&2; for f in "$work"/*.log; do echo "--- $f" >&2; tail -n 5 "$f" >&2; done; exit 1; }
free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }

# --- broker
mqtt=$(free_port)
printf 'listener %s 127.0.0.1\nallow_anonymous true\npersistence false\nuser %s\n' "$mqtt" "$(id -un)" >"$work/mosquitto.conf"
PATH=$PATH:/usr/sbin mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
pids+=($!)

# --- plant: starts before the evaluated day by the hours of shadow, of identification and of settling after it
sim_args=(--site "$site" --seed 1)
[ -n "$weather" ] && sim_args+=(--weather "$weather")
[ -n "$workload" ] && sim_args+=(--workload "$workload")
day_ms=1752537600000 # 2025-07-15T00:00:00Z
start_ms=$((day_ms - (shadow_h + explore_h + settle_h) * 3600000))
web=$(free_port)
for _ in 1 2 3 4 5; do
  base=$((20000 + RANDOM % 20000))
  wall_ms=$(date +%s%3N)
  origin=$wall_ms:$start_ms
  "$bin/coolplane-sim" serve "${sim_args[@]}" --base-port $base --mqtt 127.0.0.1:"$mqtt" --print-site "$work/site" \
    >"$work/print-site.log" 2>&1 || fail "print-site"
  "$bin/coolplane-sim" serve "${sim_args[@]}" --base-port $base --mqtt 127.0.0.1:"$mqtt" --time-scale $scale \
    --time-origin "$origin" --write-log "$work/writes.csv" --report "$work/plant.json" \
    --account-from $day_ms --account-to $((day_ms + hours * 3600000)) >"$work/sim.log" 2>&1 &
  sim=$!
  sleep 0.5
  kill -0 $sim 2>/dev/null && break
done
kill -0 $sim 2>/dev/null || fail "the plant does not start"
pids+=($sim)
sed -i "s/port: 8480/port: $web/" "$work/site/site.yaml"
config=$work/site/site.yaml
"$bin/coolplane" check-config "$config" || fail "the printed site does not pass check-config"
time_args=(--time-scale $scale --time-origin "$origin")

now_plant_ms() { echo $((start_ms + ($(date +%s%3N) - wall_ms) * scale)); }
wait_until() { # plant ms, label; a progress line when somebody watches
  local left
  while :; do
    left=$(($1 - $(now_plant_ms)))
    [ $left -le 0 ] && break
    for p in $sim $gate $planner $console; do kill -0 "$p" 2>/dev/null || fail "a process died during $2"; done
    [ -t 2 ] && printf '\r%s: %5.1f plant hours to go ' "$2" "$(awk -v l=$left 'BEGIN { print l / 3600000 }')" >&2
    sleep 0.5
  done
  [ -t 2 ] && printf '\r%60s\r' '' >&2
}

# --- shadow
echo "shadow: $shadow_h plant hours beside the plant's own controls (fixed setpoints)"
"$bin/coolplaned" --config "$config" --mode shadow "${time_args[@]}" >"$work/shadow.log" 2>&1 &
gate=$!
pids+=($gate)
"$bin/coolplane-planner" --config "$config" "${time_args[@]}" >"$work/planner.log" 2>&1 &
planner=$!
pids+=($planner)
"$bin/coolplane-web" --config "$config" "${time_args[@]}" >"$work/web.log" 2>&1 &
console=$!
pids+=($console)
[ $keep = 1 ] && echo "console: http://127.0.0.1:$web/"
wait_until $((start_ms + shadow_h * 3600000)) shadow
stop coolplaned $gate
shadow_writes=$(($(wc -l <"$work/writes.csv") - 1))
echo "shadow: $shadow_writes write requests reached the plant"

# --- live
echo "live: $explore_h plant hours of identification, $settle_h to settle, then $hours hours that count"
"$bin/coolplaned" --config "$config" --mode live --explore ${explore_h}h "${time_args[@]}" >"$work/live.log" 2>&1 &
gate=$!
pids+=($gate)
wait_until $day_ms identification
wait_until $((day_ms + hours * 3600000 + 60000)) live
"$bin/coolplane" status --config "$config" --json >"$work/status.json" || fail "status does not answer"
curl -sf "http://127.0.0.1:$web/" >"$work/page.html" || fail "the console does not answer"
curl -sf "http://127.0.0.1:$web/metrics" >"$work/metrics.txt" || fail "the metrics do not answer"
if [ $keep = 0 ]; then
  stop coolplaned $gate # hands the plant back
  stop coolplane-sim $sim
fi

# --- what it saved: the same day, weather and load under the plant's own strategies, with a plain consolidation, without VM moves
"$bin/coolplane-sim" compare "${sim_args[@]}" --start 2025-07-15T00:00:00Z --hours "$hours" --warmup-hours $((shadow_h + explore_h + settle_h)) \
  --controllers b0,b2,b2v,c0 --json >"$work/baselines.json" 2>"$work/compare.log" || fail "compare"
"$bin/coolplane" train --db "$work/site/coolplane.db" --config "$config" --out "$work/model" --json >"$work/model.json" \
  2>"$work/train.log" || fail "train"
python3 "$root/sim/demo_report.py" "$work" "$shadow_writes" "$out/demo-report.json" "$out/demo-report.html"
rc=$?
if [ $keep = 1 ]; then
  echo "still running; console: http://127.0.0.1:$web/   database: $work/site/coolplane.db   (Ctrl-C stops everything)"
  wait $sim
fi
exit $rc
