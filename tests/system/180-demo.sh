#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The README's first command, at its smallest: an hour of tiny. It ends what it started and says what it found.
. "$(dirname "$0")/lib.sh"
# refused WHAT ARGUMENTS…: exit 2 and one line that says WHAT
refused() {
  local what=$1 rc
  shift
  "$SRC/demo.sh" "$@" >"$work/usage.txt" 2>&1
  rc=$?
  [ $rc = 2 ] && [ "$(wc -l <"$work/usage.txt")" = 1 ] && grep -qF -- "demo.sh: $what (see ./demo.sh --help)" "$work/usage.txt" ||
    fail "demo.sh $*: exit $rc, $(cat "$work/usage.txt")"
}
refused 'unknown option --nonsense' --nonsense
for option in --weather --workload --hours --site --out; do refused "$option needs a value" $option; done
refused "--weather: '/nofile' is not a file that can be read" --weather /nofile
refused "--workload: '/nofile' is not a file that can be read" --workload /nofile
refused "--out: '/nofolder' is not a folder" --out /nofolder
refused "--hours takes a whole number from 1, not '08'" --hours 08
refused "--site is tiny or hall, not 'barn'" --site barn
"$SRC/demo.sh" --help >"$work/usage.txt" || fail "demo.sh --help"
[ "$(tail -n 1 "$work/usage.txt" | cut -c1-5)" = --out ] || fail "demo.sh --help ends with: $(tail -n 1 "$work/usage.txt")"
need mosquitto
[ -f /usr/share/javascript/dygraphs/dygraph.min.js ] || skip "dygraphs is not installed"
mkdir "$work/out"
COOLPLANE_BIN=$BIN "$SRC/demo.sh" --site tiny --hours 1 --out "$work/out" >"$work/out.txt" 2>"$work/demo.log" ||
  fail "the demo fails: $(tail -n 30 "$work/out.txt" "$work/demo.log")"
for text in 'fixed setpoints' 'trim-and-respond' 'the same, VMs packed' 'coolplane, no VM moves' 'decisions:' 'shadow: 0 write requests'; do
  grep -q "$text" "$work/out.txt" || fail "no '$text' in: $(cat "$work/out.txt")"
done
python3 - "$work/out/demo-report.json" <<'PY' || fail "demo-report.json: $(cat "$work/out/demo-report.json")"
import json, sys
d = json.load(open(sys.argv[1]))
rows = {r["controller"]: r for r in d["rows"]}
assert {"b0", "b2", "b2v", "c0", "c"} <= set(rows) and d["failures"] == [] and d["shadow_writes"] == 0
assert all(r["hours"] > 0.9 for r in [rows["c"]]) and rows["c"]["cooling_kwh"] < rows["b0"]["cooling_kwh"]
assert sum(d["decisions"].values()) >= 110, d["decisions"]
PY
grep -q '<div' "$work/out/demo-report.html" || fail "no page"
pass "$(grep '^coolplane  ' "$work/out.txt")"
