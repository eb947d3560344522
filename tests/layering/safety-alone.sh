#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The safety library with everything of models/ removed but num and arx: compiles, and nothing is left undefined.
set -eu
cd "${SRC:?}"
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
mkdir -p "$work/models"
cp -r safety "$work"
cp -r models/num models/arx "$work/models"
cd "$work"
"${CC:-cc}" -std=c11 -O1 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -I. -fPIC -shared -Wl,-z,defs \
  -o alone.so safety/*.c models/num/*.c models/arx/*.c -lm
