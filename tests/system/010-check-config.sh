#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The examples are usable; broken copies give 78 with every error at once, each with file:line, and a hint for a typing error.
. "$(dirname "$0")/lib.sh"
examples=$SRC/deploy/examples
for s in tiny hall ahu-mzvav; do
  "$BIN/coolplane" check-config "$examples/$s/site.yaml" >"$work/out.txt" 2>&1 || fail "$s: $(cat "$work/out.txt")"
  "$BIN/coolplaned" --check --config "$examples/$s/site.yaml" >"$work/out.txt" 2>&1 || fail "coolplaned --check $s: $(cat "$work/out.txt")"
done
# refuses WHAT: both programs say 78 and the same lines in $work/err.txt
refuses() {
  "$BIN/coolplane" check-config "$work/s/site.yaml" >"$work/err.txt" 2>&1
  local rc=$?
  [ $rc = 78 ] || fail "$1: check-config says $rc"
  "$BIN/coolplaned" --config "$work/s/site.yaml" >"$work/gate.txt" 2>&1
  rc=$?
  [ $rc = 78 ] || fail "$1: coolplaned says $rc"
  [ -z "$(ls "$work/s" | grep -v -e site.yaml -e points.csv -e profiles)" ] || fail "$1: a refused start leaves files"
}
says() { grep -q "$1" "$work/err.txt" || fail "no line '$1' in: $(cat "$work/err.txt")"; }
fresh() {
  rm -rf "$work/s"
  cp -r "$examples/tiny" "$work/s"
}

fresh
line=$(grep -n 'fast_step:' "$work/s/site.yaml" | cut -d: -f1)
sed -i 's/fast_step:/fast_stepp:/' "$work/s/site.yaml"
refuses "unknown key"
says "site.yaml:$line:3: unknown key 'fast_stepp'.*did you mean 'fast_step'"

fresh # several at once, in several files
csv=$work/s/profiles/crah-a.csv
row=$(grep -n '^supply_air_temp,' "$csv" | cut -d: -f1)
sed -i "${row}s/int16/int17/" "$csv"
sed -i 's/^\( *slow_step:\).*/\1 soon/' "$work/s/site.yaml"
line=$(grep -n 'slow_step:' "$work/s/site.yaml" | cut -d: -f1)
refuses "two errors"
says "crah-a.csv:$row:.*int17"
says "site.yaml:$line:.*slow_step"

fresh # an unbounded command
sp=$(grep -n '^supply_air_temp_sp,' "$csv" | cut -d: -f1)
python3 - "$csv" <<'PY'
import csv, sys
rows = list(csv.reader(open(sys.argv[1])))
head = next(r for r in rows if r[0] == "name")
for r in rows:
    if r[0] == "supply_air_temp_sp":
        r[head.index("max")] = ""
csv.writer(open(sys.argv[1], "w"), lineterminator="\n").writerows(rows)
PY
refuses "a setpoint without a maximum"
says "crah-a.csv:$sp:.*needs both min and max"

rm -rf "$work/s"
"$BIN/coolplane" check-config "$work/s/site.yaml" >"$work/err.txt" 2>&1 && fail "a missing file is accepted"
grep -q 'site.yaml' "$work/err.txt" || fail "a missing file is not named"
pass
