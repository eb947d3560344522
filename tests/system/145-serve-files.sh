#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What coolplane-sim serve writes takes the place of nothing but one of its kind: not of a database, a site file, or what it reads.
. "$(dirname "$0")/lib.sh"
sim=$BIN/coolplane-sim
printf 'site: { name: mine }\n' >"$work/site.yaml"
printf 'like: tiny\nname: own\n' >"$work/plant.yaml"
printf 'SQLite format 3\0and pages' >"$work/coolplane.db"
serve() { timeout 60 "$sim" serve --site tiny --seed 1 --base-port $((20000 + RANDOM % 12000)) --time-scale 3600 --account-from 0 --run-for 600 "$@" >"$work/serve.out" 2>"$work/serve.log"; }
refused() { # FILE OPTIONS...: 74, named, and as it was
  local file=$1 sum
  shift
  sum=$(sha256sum <"$file")
  serve "$@"
  [ $? = 74 ] && grep -q "$file " "$work/serve.log" || fail "$*: not refused: $(cat "$work/serve.log")"
  [ "$(sha256sum <"$file")" = "$sum" ] || fail "$*: $file was written over"
}
for file in "$work/coolplane.db" "$work/site.yaml"; do
  refused "$file" --report "$file"
  refused "$file" --write-log "$file"
done
refused "$work/plant.yaml" --site "$work/plant.yaml" --report "$work/plant.yaml"
grep -q 'plant.yaml is read' "$work/serve.log" || fail "an input: $(cat "$work/serve.log")"
serve --report "$work/one" --write-log "$work/one"
[ $? = 2 ] && [ ! -e "$work/one" ] || fail "two outputs in one file"
# each may be written again, and neither in the place of the other
again() { serve --report "$work/plant.json" --write-log "$work/writes.csv"; }
again || again || fail "the plant does not run: $(cat "$work/serve.log")"
again || again || fail "not written again: $(cat "$work/serve.log")"
grep -q '^{"site":"tiny","window_start":' "$work/plant.json" && grep -q '^time,t_ms,' "$work/writes.csv" || fail "the outputs"
refused "$work/writes.csv" --report "$work/writes.csv"
refused "$work/plant.json" --write-log "$work/plant.json"
# a folder that holds one file of somebody else gets none of ours
"$sim" serve --site tiny --print-site "$work/print" >/dev/null && "$sim" serve --site hall --print-site "$work/print" >/dev/null || fail "not printed again"
for name in site.yaml points.csv profiles/chiller-b.csv; do
  mkdir -p "$work/foreign/profiles" && printf '# by hand\n' >"$work/foreign/$name"
  refused "$work/foreign/$name" --site hall --print-site "$work/foreign"
  [ "$(find "$work/foreign" -type f | wc -l)" = 1 ] || fail "files beside a foreign $name: $(find "$work/foreign" -type f)"
  rm -r "$work/foreign"
done
pass
