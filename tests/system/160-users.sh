#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The users of the units, for real: gate, planner and console under three uids with the modes and folders the units give.
# The planner proposes, the console reads; neither can signal the gate, take its lock, write its database, and the console
# cannot pose as the planner. Readers go on when the gate is stopped, killed, or the database was put back from a copy.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip "needs root: it runs the programs under three user ids"
need setpriv
need curl
umask 0022
gate_uid=61001 planner_uid=61002 web_uid=61003
exec_as() { # exec_as UID COMMAND…: members of the gate's group, like the units. In a subshell: $! of it is COMMAND itself
  local uid=$1
  shift
  exec setpriv --reuid "$uid" --regid "$uid" --groups "$gate_uid" --no-new-privs "$@"
}
as() { (exec_as "$@"); }
may() { as "$@" >/dev/null 2>&1; }
chmod 755 "$work"
mkdir "$work/bin"
cp "$BIN"/{coolplaned,coolplane-planner,coolplane-web,coolplane} "$work/bin" # where every user can run them
may $web_uid "$work/bin/coolplane" --version || skip "other users cannot run programs here: / is closed to them"
start_broker
start_plant tiny 60
mkdir -m 750 "$work/state" "$work/run"
chown $gate_uid:$gate_uid "$work/state" "$work/run"
export STATE_DIRECTORY=$work/state RUNTIME_DIRECTORY=$work/run
db=$STATE_DIRECTORY/coolplane.db

run_gate() {
  (umask 0027 && exec setpriv --reuid $gate_uid --regid $gate_uid --clear-groups "$work/bin/coolplaned" --config "$config" \
    --mode live --planner-user $planner_uid "${time_args[@]}") >>"$work/gate.log" 2>&1 &
  gate=$!
  pids+=("$gate")
}
run_gate
(exec_as $planner_uid "$work/bin/coolplane-planner" --config "$config" "${time_args[@]}") >"$work/planner.log" 2>&1 &
planner=$!
pids+=("$planner")
(exec_as $web_uid "$work/bin/coolplane-web" --config "$config" --port 0 "${time_args[@]}") >"$work/web.log" 2>&1 &
console=$!
pids+=("$console")
ask() { as $web_uid "$work/bin/coolplane" status --config "$config" --json 2>>"$work/status.log"; }
wait_for 60 '[ "$(ask | field planner)" = True ] && [ "$(ask | field decisions.accept)" -ge 1 ]' || fail "no accepted proposal of another user"

# what this test ends by pid are the programs, not shells that leave them behind
[ "$(ps -o uid= -p "$planner" | tr -d ' ')" = $planner_uid ] && [ "$(ps -o uid= -p "$console" | tr -d ' ')" = $web_uid ] ||
  fail "not the programs' pids: $(ps -o pid,uid,cmd -p "$planner,$console")"

# the console, and then nobody, at the planner's door
knock() {
  python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(3)
s.connect(sys.argv[1])
sys.exit(0 if s.recv(4096) == b"" else 1)' "$work/run/planner.sock"
}
export -f knock
late=$(ask | field decisions.late)
as $web_uid env work="$work" bash -c knock || fail "the console is heard as a planner"
grep -q "user $web_uid is refused" "$work/gate.log" || fail "the refusal is not logged"
[ "$(ask | field planner)" = True ] || fail "the console threw the planner out"
at_most "proposals lost to the console" "$(($(ask | field decisions.late) - late))" 0
grep -q 'planner: gone' "$work/gate.log" && fail "the planner was dropped"

for uid in $planner_uid $web_uid; do
  may $uid kill -0 "$gate" && fail "user $uid may signal the gate"
  may $uid cat "$db.lock" && fail "user $uid can open the lock"
  may $uid bash -c ": >>'$db'" && fail "user $uid can write the database"
  may $uid touch "$work/state/x" && fail "user $uid can write the state folder"
  may $uid rm -f "$work/run/status.sock" && [ ! -S "$work/run/status.sock" ] && fail "user $uid can remove a socket"
done
setpriv --reuid 61009 --regid 61009 --clear-groups cat "$db" >/dev/null 2>&1 && fail "anybody can read the database"

# readers without write access: gate alive, stopped, killed, and a copy without -wal and -shm
samples() { as $web_uid "$work/bin/coolplane" db counts --config "$config" --json 2>"$work/counts.log" | field samples; }
url=$(sed -n 's/.*console at \(http:[^ ]*\)\/.*/\1/p' "$work/web.log")
at_least "samples read beside the gate" "$(samples)" 1
stop_pid "$gate"
stopped=$(samples)
[ "$stopped" = "$(sqlite3 -readonly "$db" 'SELECT count(*) FROM sample')" ] || fail "stopped: $stopped samples; $(cat "$work/counts.log")"
run_gate
wait_for 30 '[ "$(ask | field samples_committed || echo 0)" -ge 100 ]' || fail "the gate does not start again"
kill -KILL "$gate"
wait "$gate" 2>/dev/null
at_least "samples read after kill -9" "$(samples)" "$stopped"
wait_for 10 'curl -s -m 5 "$url/api/status" | grep -q "\"link\":\"not running\""' || fail "the console does not see the gate's end"
curl -s -m 5 "$url/api/status" | grep -q '"open":true' || fail "the console lost the database: $(curl -s "$url/api/status" | tail -c 400)"
"$work/bin/coolplane" db backup "$work/copy.db" --config "$config" >/dev/null 2>&1 || fail "backup"
rm -f "$db" "$db-wal" "$db-shm"
install -o $gate_uid -g $gate_uid -m 640 "$work/copy.db" "$db"
restored=$(samples)
[ "$restored" -ge "$stopped" ] || fail "the restored database: '$restored'; $(cat "$work/counts.log")"
sqlite3 "$db" 'PRAGMA journal_mode = WAL; CREATE TABLE x (a)' >/dev/null # now a WAL database without its two files
rm -f "$db-wal" "$db-shm"
[ -z "$(samples)" ] || fail "a WAL database without -shm is read"
grep -q 'wal and -shm are missing' "$work/counts.log" || fail "no helpful word: $(cat "$work/counts.log")"
pass "three users; $stopped samples stopped, $restored restored"
