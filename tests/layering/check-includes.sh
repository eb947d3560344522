#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The layer table of ARCHITECTURE.md as a test: every #include of our own headers must go down the table, and each
# third-party header is included where the table says and nowhere else. Prints every breach; exit 1 if there is any.
set -u
cd "$1" || exit 2
bad=0
breach() { echo "layering: $*"; bad=1; }

# room → the rooms it may include (prefixes of include paths)
allowed() {
  case $1 in
    models/num/*) echo 'models/num/' ;;
    models/arx/*) echo 'models/num/ models/arx/' ;;
    models/*) echo 'models/' ;;
    safety/*) echo 'safety/ models/num/ models/arx/' ;;
    agent/base/*) echo 'agent/base/' ;;
    agent/points/*) echo 'agent/points/ agent/base/ models/arx/' ;;
    agent/drivers/*) echo 'agent/drivers/ agent/points/ agent/base/ models/num/rng.h' ;;
    agent/store/*) echo 'agent/store/ agent/drivers/driver.h agent/points/ agent/base/ models/arx/ safety/safety.h' ;;
    agent/gate/*) echo 'agent/gate/ agent/store/ agent/drivers/ agent/points/ agent/base/ models/num/ models/arx/ safety/safety.h safety/ladder.h' ;;
    agent/planner/*) echo 'agent/planner/ agent/gate/ipc.h agent/gate/inventory.h agent/store/ agent/points/ agent/base/ models/' ;;
    agent/web/*) echo 'agent/web/ agent/store/ agent/points/ agent/base/' ;;
    agent/cli/*) echo 'agent/ models/' ;;
    sim/plant_fault.c|sim/plant_text.c) echo 'sim/ models/num/ agent/base/parse.h' ;;
    sim/plant*|sim/psychro*|sim/weather.*|sim/workload.*) echo 'sim/ models/num/' ;;
    sim/explore_*) echo 'sim/explore_ models/num/ models/arx/' ;;
    sim/closed_loop.*|sim/scenario_run.c) echo 'sim/ models/num/ agent/' ;;
    sim/certify_outside.c) echo 'sim/ models/num/ models/arx/ safety/safety.h agent/gate/envelope.h agent/gate/assumed.h agent/points/quality.h' ;;
    sim/certify*) echo 'sim/ models/num/ models/arx/ safety/safety.h agent/gate/envelope.h agent/base/' ;;
    sim/*) echo 'sim/ models/num/ agent/base/' ;;
  esac
}

# includes PATTERN PATH...: file:line:text of every #include in them
includes() {
  local pattern=$1
  shift
  grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]+$pattern" "$@" --include='*.c' --include='*.h'
}
n=0
while IFS=: read -r file line text; do
  inc=${text#*\"}; inc=${inc%%\"*}
  ok=0 n=$((n + 1))
  for prefix in $(allowed "$file"); do case $inc in "$prefix"*) ok=1 ;; esac; done
  [ $ok = 1 ] || breach "$file:$line includes $inc"
done < <(includes '"' agent models safety sim)
[ $n -gt 300 ] || breach "only $n includes found: the check sees nothing"

# a third-party header is included by the files named here and by no other; each of them does include it
outside='<(assert|ctype|dirent|errno|fcntl|float|fnmatch|ftw|getopt|iconv|inttypes|limits|locale|math|netdb|poll|pwd|pthread|signal|std[a-z]+|strings?|time|unistd|sys/[a-z]+|netinet/[a-z]+|arpa/inet)\.h>'
third() { # header files...
  local header=$1 want
  shift
  want=$(printf '%s\n' "$@" | sort)
  [ "$(includes "<$header>" agent models safety sim | cut -d: -f1 | sort)" = "$want" ] ||
    breach "<$header> is included by $(includes "<$header>" agent models safety sim | cut -d: -f1 | tr '\n' ' '), the table says" $want
  outside+="|<$header>"
}
third sqlite3.h agent/store/store_internal.h
third modbus/modbus.h agent/drivers/modbus_link.c
third MQTTAsync.h agent/drivers/mqtt_client.c sim/mqttd.c
third openssl/evp.h agent/base/hash.c
third systemd/sd-daemon.h agent/gate/notify.c
third libfyaml.h agent/points/yaml.c
third csv.h agent/points/csv.c
third microhttpd.h agent/web/http.c
while IFS=: read -r file line text; do
  [[ $text =~ $outside ]] || [[ $text == *'<jansson.h>'* && $file =~ ^(agent|sim)/ ]] || breach "$file:$line includes a header that is in no table: $text"
done < <(includes '<' agent models safety sim)

# pure rooms: no clock, no files, no threads (stdio.h is allowed for snprintf into the caller's buffer)
while IFS=: read -r file line text; do
  breach "$file:$line is in a pure room: $text"
done < <(includes '<(time|unistd|fcntl|pthread|signal|sys/[a-z]+|locale|jansson)\.h>' models safety sim/plant*.[ch] sim/explore_*.[ch])

# one door: only safety/ knows what a decision looks like, only actuate.c calls an actuator's write
grep -rnE 'struct safety_decision[[:space:]]*\{' agent models sim tests --include='*.[ch]' && breach "struct safety_decision is opaque outside safety/"
grep -rnE 'actuator\.write\(' agent sim --include='*.c' | grep -v '^agent/gate/actuate\.c:' && breach "an actuator is written outside actuate.c"

[ $bad = 0 ] && echo "layering: ok"
exit $bad
