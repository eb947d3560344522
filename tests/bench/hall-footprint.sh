#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Footprint of coolplaned on the hall (≥ 300 points) at real-time speed: resident memory, CPU, scan period and jitter.
#   BIN=build/release/bin SRC=$PWD tests/bench/hall-footprint.sh [SECONDS] [live|shadow]
. "${SRC:?}/tests/system/lib.sh"
seconds=${1:-90} mode=${2:-live}
start_broker
start_plant hall 1
start_gate --mode "$mode"
start_planner
# proc PID: resident KiB and CPU ticks so far
proc() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }
wait_for 60 '[ "$(status | field step || echo 0)" -ge 1 ]' || fail "no first step"
at() { for p in gate planner plant; do echo "$p" $(proc "${!p}"); done | sort; }
at >"$work/a.txt"
start=$(date +%s%3N)
sleep "$seconds"
at >"$work/b.txt"
took=$(($(date +%s%3N) - start))
status >"$work/status.json"
points=$(sql 'SELECT count(*) FROM v_points')
rows=$(sql 'SELECT count(*) FROM sample')
echo "hall: $points points, $mode, $((took / 1000)) s at real-time speed, $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
join "$work/a.txt" "$work/b.txt" | awk -v ms="$took" -v hz="$(getconf CLK_TCK)" '
  { printf "%-8s RSS %.1f MiB (%.1f at the start), CPU %.2f %% of one core\n", $1, $4 / 1024, $2 / 1024, 100 * ($5 - $3) / hz / (ms / 1000) }'
python3 - "$work/status.json" "$rows" <<'PY'
import json, sys
d = json.load(open(sys.argv[1]))
dev = d["devices"]
per = [x["scan_period_s"] for x in dev if x["scan_period_s"]]
jit = [x["scan_jitter_s"] for x in dev if x["scan_jitter_s"] is not None]
print(f"steps    {d['step']}, {sys.argv[2]} samples stored, last commit {d['last_commit_s']} s, last solve {d['last_solve_s']} s")
print(f"scan     {len(dev)} devices, period {min(per):.3f} to {max(per):.3f} s, largest deviation {1000 * max(jit):.0f} ms "
      f"(median of devices {1000 * sorted(jit)[len(jit) // 2]:.0f} ms)")
print(f"faults   {sum(x['read_errors'] for x in dev)} read errors, {sum(x['timeouts'] for x in dev)} time-outs, {sum(x['write_errors'] for x in dev)} write errors, "
      f"mode {d['mode']}, {d['reason']}")
PY
stop_pid "$gate"
exit 0
