#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# T1: the wall clock is set back by 1 h and forward by 1 h and 2 h under a running gate (in real time): readings stay
# current and good, steps go on, each step of the clock is one event.
. "$(dirname "$0")/lib.sh"
python3 "$SRC/tests/system/annex_plant.py" "$work/port" 1 2>"$work/annex.log" &
pids+=($!)
wait_for 5 '[ -s "$work/port" ]' || fail "the annex does not start"
mkdir "$work/site"
sed "s/@PORT@/$(cat "$work/port")/; s/period: [0-9]*s/period: 1s/; s/fast_step: 10s/fast_step: 2s/" \
  "$SRC/tests/data/annex/site.yaml" >"$work/site/site.yaml"
cp "$SRC/tests/data/annex/points.csv" "$work/site/"
config=$work/site/site.yaml db=$work/site/coolplane.db
# In one piece: the gate must never read half a number.
set_clock() { echo "$1" >"$work/clock.new" && mv "$work/clock.new" "$work/clock"; }
set_clock 0
STEP_CLOCK=$work/clock LD_PRELOAD=$BIN/libstep_clock.so ASAN_OPTIONS=verify_asan_link_order=0 \
  "$BIN/coolplaned" --config "$config" >>"$work/gate.log" 2>&1 &
gate=$!
pids+=("$gate")
latest() { sql "SELECT t_ms FROM v_latest WHERE point = 'annex/comms/row1/inlet' AND quality = 'GOOD'"; }
events() { sql "SELECT count(*) FROM v_events WHERE component = 'clock' AND text LIKE '$1%'"; }
wait_for 20 'status >/dev/null && [ -n "$(latest)" ] && step_at_least 2' || fail "no readings: $(status)"
[ "$(sql "SELECT count(*) FROM v_events WHERE component = 'clock'")" = 0 ] || fail "a step is reported where there was none"

stepped() { # TEXT: the step just made is told; readings and control steps go on
  local t s text=$1
  wait_for 5 '[ "$(events "$text")" = 1 ]' || fail "no event for: $text"
  t=$(latest) s=$(status | field step)
  wait_for 10 '[ "$(latest)" -ge $((t + 2000)) ]' || fail "readings after '$1' do not count: $t, $(latest)"
  wait_for 10 "step_at_least $((s + 2))" || fail "the loop stopped"
  [ "$(sql "SELECT count(*) FROM v_latest WHERE quality = 'BAD'")" = 0 ] || fail "bad readings after '$1'"
  [ "$(events "$1")" = 1 ] || fail "told twice: $1"
}
set_clock -3600
stepped "the wall clock was set back by 3600.0 s"
at_least "seconds ahead of the wall clock" "$(status | field clock_ahead_s)" 3590
at_most "seconds ahead of the wall clock" "$(status | field clock_ahead_s)" 3600
set_clock 0
stepped "the wall clock was set forward by 3600.0 s"
now=$(date +%s%3N)
set_clock 7200
stepped "the wall clock was set forward by 7200.0 s"
at_least "time of the latest reading" "$(latest)" $((now + 7200000))
[ "$(status | field clock_ahead_s)" = 0.0 ] || fail "the clock is $(status | field clock_ahead_s) s ahead"
stop_pid "$gate"
pass
