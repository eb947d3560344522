# SPDX-License-Identifier: Apache-2.0
# Sourced by every system test: the real executables on loopback, free ports, everything ended by pid on the way out.
# Environment from CTest: BIN (executables), SRC (repository). A test ends with `pass` or `fail WHY`; `skip WHY` is 77.
set -u
: "${BIN:?}" "${SRC:?}"
work=$(mktemp -d /tmp/coolplane-test.XXXXXX)
pids=()
finish() {
  local rc=$?
  local p
  for p in "${pids[@]}"; do kill -CONT "$p" 2>/dev/null; kill -TERM "$p" 2>/dev/null; done
  for p in "${pids[@]}"; do
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$p" 2>/dev/null
    wait "$p" 2>/dev/null
  done
  if [ $rc != 0 ] && [ $rc != 77 ]; then
    for f in "$work"/*.log; do [ -s "$f" ] && { echo "--- $f"; tail -n 15 "$f"; }; done
  fi
  rm -rf "$work"
  exit $rc
}
trap finish EXIT
trap 'exit 130' INT TERM
fail() { echo "FAIL: $*"; exit 1; }
pass() { echo "PASS${1:+: $1}"; exit 0; }
skip() { echo "SKIP: $*"; exit 77; }
need() { command -v "$1" >/dev/null 2>&1 || PATH=$PATH:/usr/sbin command -v "$1" >/dev/null 2>&1 || skip "$1 is not installed"; }
free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
sql() { sqlite3 -readonly "$db" "$1"; }
# at_least WHAT GOT LIMIT / at_most WHAT GOT LIMIT, decimal numbers
at_least() { awk -v g="$2" -v l="$3" 'BEGIN { exit !(g >= l) }' || fail "$1 is $2, should be at least $3"; }
at_most() { awk -v g="$2" -v l="$3" 'BEGIN { exit !(g <= l) }' || fail "$1 is $2, should be at most $3"; }

start_broker() { # [port]
  need mosquitto
  mqtt=${1:-$(free_port)}
  # as root it would become a user who may not be able to read /etc/hosts.deny, and then refuse everybody
  printf 'listener %s 127.0.0.1\nallow_anonymous true\npersistence false\nuser %s\n' "$mqtt" "$(id -un)" >"$work/mosquitto.conf"
  PATH=$PATH:/usr/sbin mosquitto -c "$work/mosquitto.conf" >>"$work/mosquitto.log" 2>&1 &
  broker=$!
  pids+=("$broker")
}

# start_plant SITE SCALE [serve options]: $config, $db, $writes, time_args; plant time starts at 2025-07-15T00:00Z
start_plant() {
  site=$1 scale=$2
  shift 2
  writes=$work/writes.csv
  start_ms=1752537600000
  local i
  for i in 1 2 3 4 5 6; do
    base=$((20000 + RANDOM % 12000)) # below the ports the kernel hands out
    "$BIN/coolplane-sim" serve --site "$site" --seed 1 --base-port $base --mqtt 127.0.0.1:"$mqtt" --print-site "$work/site" \
      >"$work/print-site.log" 2>&1 || fail "print-site"
    wall_ms=$(date +%s%3N)
    "$BIN/coolplane-sim" serve --site "$site" --seed 1 --base-port $base --mqtt 127.0.0.1:"$mqtt" --time-scale "$scale" \
      --time-origin "$wall_ms:$start_ms" --write-log "$writes" --report "$work/plant.json" "$@" >>"$work/sim.log" 2>&1 &
    plant=$!
    wait_for 20 '! kill -0 $plant 2>/dev/null || grep -q "devices on" "$work/sim.log"' && kill -0 $plant 2>/dev/null && break
  done
  kill -0 $plant 2>/dev/null || fail "the plant does not start"
  pids+=("$plant")
  config=$work/site/site.yaml
  db=$work/site/coolplane.db
  time_args=(--time-scale "$scale" --time-origin "$wall_ms:$start_ms")
}
now_plant_ms() { echo $((start_ms + ($(date +%s%3N) - wall_ms) * scale)); }

start_gate() { # [coolplaned options]
  "$BIN/coolplaned" --config "$config" "${time_args[@]}" "$@" >>"$work/gate.log" 2>&1 &
  gate=$!
  pids+=("$gate")
}
start_planner() {
  "$BIN/coolplane-planner" --config "$config" "${time_args[@]}" >>"$work/planner.log" 2>&1 &
  planner=$!
  pids+=("$planner")
}
stop_pid() { kill -TERM "$1" 2>/dev/null; wait "$1" 2>/dev/null; }
status() { "$BIN/coolplane" status --config "$config" --json 2>/dev/null; }
field() { # field NAME < status document: one top-level or dotted member; nothing when it is not there
  python3 -c 'import json,sys
text = sys.stdin.read()
if not text: sys.exit(1)
d = json.loads(text)
for k in sys.argv[1].split("."):
    if k not in d: sys.exit(1)
    d = d[k]
print(d)' "$1"
}
# wait_for SECONDS 'shell condition'
wait_for() {
  local end=$((SECONDS + $1))
  until eval "$2"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}
step_at_least() { [ "$(status | field step || echo -1)" -ge "$1" ]; }
