#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh FUZZER CORPUS: fuzzes for $COOLPLANE_FUZZ_SECONDS (5). What it learns is thrown away unless COOLPLANE_FUZZ_KEEP
# names a folder; an input that fails is left in the current folder (crash-…, timeout-…, oom-…): minimise it with
# -minimize_crash=1, fix, and keep it in CORPUS.
set -eu
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT INT TERM
learned=${COOLPLANE_FUZZ_KEEP:-$work/learned}
mkdir -p "$learned"
TMPDIR=$work "$1" -max_total_time="${COOLPLANE_FUZZ_SECONDS:-5}" -rss_limit_mb=512 -timeout=5 -print_final_stats=1 \
  -verbosity=1 "$learned" "$2" </dev/null
