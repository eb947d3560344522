# SPDX-License-Identifier: Apache-2.0
# Sourced by demo.sh and test.sh: the Debian packages each needs, and one function that installs what is missing.
packages_build="gcc libc6-dev cmake ninja-build pkg-config libmodbus-dev libpaho-mqtt-dev libsqlite3-dev libfyaml-dev libcsv-dev
  libjansson-dev libmicrohttpd-dev libsystemd-dev libssl-dev libjs-dygraphs"
packages_run="mosquitto sqlite3 python3-minimal procps"
packages_test="libcmocka-dev clang clang-format clang-tidy libclang-rt-14-dev git python3 systemd curl chromium"

policy_rc_d=/usr/sbin/policy-rc.d

install_packages() {
  local missing=()
  for p in "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} = 0 ] && return 0
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  echo "installing: ${missing[*]}" >&2
  # no service may start on its own: a policy of "do not start" for this installation only, gone however it ends
  (
    if [ ! -e "$policy_rc_d" ]; then
      trap '"${sudo[@]}" rm -f "$policy_rc_d"' EXIT
      trap 'exit 130' HUP INT TERM
      printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy_rc_d" >/dev/null && "${sudo[@]}" chmod 755 "$policy_rc_d"
    fi
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 &&
      "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  )
}
