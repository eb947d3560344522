#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of coolplaned at random instants; see kill9.py. COOLPLANE_KILLS (default 6; the full campaign is 200).
. "$(dirname "$0")/lib.sh"
start_broker
start_plant tiny 60
start_planner
seed=${COOLPLANE_SEED:-1}
echo "COOLPLANE_SEED=$seed"
python3 "$SRC/tests/system/kill9.py" "$BIN" "$config" "$db" 60 "$wall_ms:$start_ms" "${COOLPLANE_KILLS:-6}" "$seed" \
  "$work/gate.log" || exit 1
exit 0
