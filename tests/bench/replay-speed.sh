#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How much faster than real time a recorded hall (30 s step, 483 points) is replayed by one core: by processor time, with
# the planner and without; beside it, as a baseline, SQLite reading the samples of the same log once.
#   BIN=build/release/bin SRC=$PWD tests/bench/replay-speed.sh [HOURS]
. "${SRC:?}/tests/system/lib.sh"
hours=${1:-24}
TIMEFORMAT='%3U %3S'
"$BIN/coolplane-sim" serve --site hall --print-site "$work/site" >/dev/null 2>&1 || fail "no site"
"$BIN/coolplane-sim" compare --site hall --hours "$hours" --warmup-hours 1 --controllers b2 --log "$work" >/dev/null 2>&1 || fail "no log"
log=$(echo "$work"/b2-*.db)
span=$(sqlite3 "$log" 'SELECT (max(t_ms) - min(t_ms)) / 1000, count(*) FROM sample' | tr '|' ' ')
cpu() { { time "$@" >"$work/out.json" 2>"$work/err.txt" || fail "$*: $(cat "$work/err.txt")"; } 2>&1 | awk '{ print $1 + $2 }'; }
replay() { rm -f "$work/out.db"*; cpu "$BIN/coolplane" replay --config "$work/site/site.yaml" --log "$log" --out "$work/out.db" --json "$@"; }
read=$(cpu sqlite3 "$log" 'SELECT sum(value), sum(t_ms) FROM sample')
without=$(replay --no-planner)
with=$(replay)
echo "$span $read $without $with" | awk '{
  printf "hall: %d samples over %.1f h, %.0f of them in a step of 30 s\n", $2, $1 / 3600, $2 / $1 * 30
  printf "without planner %.0f times real time (%.2f s), %.1f times what SQLite needs to read the samples (%.2f s)\n", $1 / $4, $4, $4 / $3, $3
  printf "with planner    %.0f times real time (%.2f s), %.1f times\n", $1 / $5, $5, $5 / $3 }'
exit 0
