#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every line and every branch of safety/ is taken by its unit tests; what is not is named, and the exit code is 1. Uses gcov, part of gcc
# (GCOV: another one). Only tests that go the same way every time count: what a random campaign happens to reach is not held.
#   tests/coverage-safety.sh [options of cmake --build, e.g. -j1]
set -u
cd "$(dirname "$0")/.." || exit 1
tests=(test_safety_limits test_safety_envelope test_safety_interlock test_safety_filter test_safety_filter_readings
  test_safety_filter_terminal test_safety_filter_rooms test_safety_nearest test_safety_create test_safety_fallback
  test_safety_rollout test_safety_tighten test_safety_project test_safety_beyond test_safety_equipment test_safety_units
  test_safety_floors test_verify test_verify_units test_ladder test_safety_recheck)
objects=build/coverage/safety/CMakeFiles/coolplane_safety.dir
log=$(mktemp -d) && trap 'rm -rf "$log"' EXIT

if ! { cmake --preset coverage && cmake --build --preset coverage "$@" -t "${tests[@]}"; } >"$log/build" 2>&1; then
  grep -E 'error|warning|FAILED|undefined|CMake Error' "$log/build" | head -n 40
  echo "coverage-safety.sh: the preset coverage could not be built" >&2
  exit 1
fi
rm -f "$objects"/*.gcda # of other tests, of other times
for t in "${tests[@]}"; do
  if ! COOLPLANE_SEED=1 COOLPLANE_HOSTILE=1000 "build/coverage/bin/$t" >"$log/test" 2>&1; then
    tail -n 20 "$log/test"
    echo "coverage-safety.sh: $t failed" >&2
    exit 1
  fi
done

bad=0
for source in safety/*.c; do
  data=$objects/${source##*/}.gcda
  "${GCOV:-gcov}" -t -b -c -o "$data" "$data" 2>>"$log/gcov" | awk -v file="$source" '
    function told() { if (lacking) printf "%s:%d: %d of %d branches never taken: %s\n", file, line, lacking, have, text; lacking = 0 }
    $1 == "branch" { branches++; have++; if ($3 == "never" || $4 == 0) { open_branches++; lacking++ }; next }
    match($0, /^ *[-#=0-9*]+: *[0-9]+:/) {
      told(); have = 0
      split(substr($0, 1, RLENGTH), part, ":"); count = part[1]; line = part[2] + 0
      text = substr($0, RLENGTH + 1); sub(/^[ \t]+/, "", text)
      gsub(/ /, "", count)
      if (line == 0 || count == "-") next
      lines++
      if (count ~ /^[#=]/) { open_lines++; printf "%s:%d: never executed: %s\n", file, line, text }
    }
    END {
      told()
      if (!lines) { printf "%s: no coverage data\n", file; exit 1 }
      printf "%-20s lines %6.2f %% of %3d, branches %6.2f %% of %3d\n", file, 100 * (lines - open_lines) / lines, lines,
             branches ? 100 * (branches - open_branches) / branches : 100, branches
      exit open_lines + open_branches > 0
    }' || bad=1
done
[ $bad = 0 ] || cat "$log/gcov"
exit $bad
