#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The runner's own test: SIM DIR. A file that says nothing about its fault is found; what cannot be read names file and line.
set -u
sim=$1 dir=$2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
run() { "$sim" scenario "$@" >"$work/out.txt" 2>&1; rc=$?; }
says() { grep -qF -- "$1" "$work/out.txt" || fail "no \"$1\" in: $(cat "$work/out.txt")"; }

run --dir "$dir" --all --seeds 2
[ $rc = 0 ] || fail "with events: $(cat "$work/out.txt")"
says '3 scenarios, 0 failed'
run --dir "$dir" --all --without-events --seeds 2
[ $rc = 1 ] || fail "without events: rc $rc"
says 'vacuous.scn: FAILED with seed 1: keeps every limit though nothing happens'
says 'vacuous.scn: FAILED with seed 2'
says 'ok     telling'
says '2 scenarios without their events, 1 failed'
run --without-events --seeds 1 "$dir/telling.scn"
[ $rc = 0 ] || fail "telling: rc $rc"
run --measures
says 'fan_gap_ratio'

# refuses STATEMENT MESSAGE: line 2 of a file is at fault; the message names it
refuses() {
  printf 'hours 1\n%s\nlimit max_inlet_c <= 60\n' "$1" >"$work/x.scn"
  run --check "$work/x.scn"
  [ $rc = 65 ] || fail "\"$1\": rc $rc, $(cat "$work/out.txt")"
  says "$2"
}
refuses 'limit since max_inlet_c <= 30' 'x.scn:2: a limit since, during or after an event that does not exist'
refuses 'limit sometimes max_inlet_c <= 30' 'x.scn:2: no such measure'
refuses 'limit nothing <= 30' 'x.scn:2: no such measure'
refuses 'limit max_inlet_c < 30' 'x.scn:2: <= or >='
refuses 'limit max_inlet_c <= 1 b9' 'x.scn:2: not a controller'
refuses 'limit max_inlet_c <= +x calm' 'x.scn:2: not a number'
refuses 'limit since energy_residual_ratio <= 1' 'x.scn:2: a measure of the whole only'
refuses 'controller calm' 'x.scn:2: not a controller'
refuses 'at start planner off' 'x.scn:2: only a fault'
refuses 'at 61m fault clear' 'x.scn:2: an event at the end or after it'
refuses 'at 7s fault clear' 'x.scn:2: not a whole number of scans'
refuses 'loop-volume-m3 0.08' 'x.scn:2: loop-volume-m3: less than the pumps move in 17 s'
refuses $'at 5m fault clear\nlimit during max_inlet_c <= 30' 'x.scn:3: a limit during a single event'
for f in refuse:crah-1 slow:crah-1:20; do # no wire here
  refuses "at 5m fault $f" 'coolplane-sim serve --fault'
done
for f in blackhole:nobody exception:crah-1:12 blackhole:crah-1:3 const:inlet:2:infinite nothing; do
  refuses "at 5m fault $f" "x.scn:2: no fault \"$f\""
done
echo ok
