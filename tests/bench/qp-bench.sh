#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Our QP solver and cvxopt by turns on the same problems, one seed of the closed loop a round; the ratio of medians by rounds.
#   BIN=build/release/bin tests/bench/qp-bench.sh [ROUNDS [STATES ACTUATORS HORIZON STEPS EVERY]]
# Needs python3-cvxopt (apt-get install python3-cvxopt); without it: says so and ends with 77.
set -uo pipefail
here=$(dirname "$0")
rounds=${1:-5} n=${2:-40} m=${3:-20} horizon=${4:-10} steps=${5:-200} every=${6:-20}
python=''
for p in python3 /usr/bin/python3; do "$p" -c 'import cvxopt' 2>/dev/null && python=$p && break; done
[ -n "$python" ] || { echo "SKIPPED: python3-cvxopt is not installed, nothing was compared" >&2; exit 77; }
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
for ((r = 1; r <= rounds; r++)); do
  "${BIN:?}/qp-bench" "$n" "$m" "$horizon" "$steps" "$r" "$work/problems" "$every" >"$work/ours" || exit 1
  sed -n 's/^  warm/round '"$r"': warm/p' "$work/ours"
  "$python" "$here/qp_cvxopt.py" "$work/problems" | tee -a "$work/all" || exit 1
done
sed -n 's/.*ratio \([0-9]*\);.*/\1/p' "$work/all" | sort -n |
  awk '{ v[NR] = $1 } END { printf "%d rounds: ratio %d to %d, median %d\n", NR, v[1], v[NR], v[int((NR + 1) / 2)] }'
