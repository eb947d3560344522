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
    agent/gate/*) echo 'agent/gate/ agent/store/ agent/drivers/ agent/points/ agent/base/ models/num/ models/arx/ safety/safety.h' ;;
    agent/planner/*) echo 'agent/planner/ agent/gate/ipc.h agent/gate/inventory.h agent/store/ agent/points/ agent/base/ models/' ;;
    agent/web/*) echo 'agent/web/ agent/store/ agent/points/ agent/base/' ;;
    agent/cli/*) echo 'agent/ models/' ;;
    sim/plant*|sim/psychro*|sim/weather.*|sim/workload.*) echo 'sim/ models/num/' ;;
    sim/closed_loop.*|sim/compare.c) echo 'sim/ models/num/ agent/' ;;
    sim/*) echo 'sim/ models/num/ agent/base/' ;;
  esac
}

while IFS=: read -r file line text; do
  inc=${text#*\"}; inc=${inc%%\"*}
  ok=0
  for prefix in $(allowed "$file"); do case $inc in "$prefix"*) ok=1 ;; esac; done
  [ $ok = 1 ] || breach "$file:$line includes $inc"
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' agent models safety sim --include='*.c' --include='*.h')

# third-party header → files that may include it
third() { # header-pattern  allowed-regex
  while IFS=: read -r file line _; do
    [[ $file =~ $2 ]] || breach "$file:$line includes <$1>"
  done < <(grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]+<$1" agent models safety sim --include='*.c' --include='*.h')
}
third 'sqlite3\.h' '^agent/store/store_internal\.h$'
third 'modbus' '^(agent/drivers/modbus_link\.c|sim/modbusd\.c)$'
third 'MQTTAsync\.h' '^(agent/drivers/mqtt_client\.c|sim/mqttd\.c)$'
third 'openssl/' '^agent/base/hash\.c$'
third 'systemd/' '^agent/gate/notify\.c$'
third 'libfyaml\.h' '^agent/points/yaml\.c$'
third 'csv\.h' '^agent/(points|store)/csv[a-z_]*\.c$'
third 'microhttpd\.h' '^agent/web/http\.c$'

# pure rooms: no clock, no files, no threads (stdio.h is allowed for snprintf into the caller's buffer)
while IFS=: read -r file line text; do
  breach "$file:$line is in a pure room: $text"
done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+<(time|unistd|fcntl|pthread|signal|sys/[a-z]+|locale)\.h>' \
  $(git ls-files 'models/*.[ch]' 'safety/*.[ch]' 'sim/plant*.[ch]') /dev/null)

# one door: only safety/ knows what a decision looks like, only actuate.c calls an actuator's write
grep -rnE 'struct safety_decision[[:space:]]*\{' agent models sim tests --include='*.[ch]' && breach "struct safety_decision is opaque outside safety/"
grep -rnE 'actuator\.write\(' agent sim --include='*.c' | grep -v '^agent/gate/actuate\.c:' && breach "an actuator is written outside actuate.c"

[ $bad = 0 ] && echo "layering: ok"
exit $bad
