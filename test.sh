#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, runs the whole suite. Last line: N passed, N failed, N skipped; what was skipped is named above it.
#   ./test.sh                 everything
#   ./test.sh --install-only  only the packages
#   ./test.sh --quick         build, unit and layering tests only
set -u
cd "$(dirname "$0")" || exit 1
. deploy/packages.sh
quick=0
for a in "$@"; do
  case $a in
    --install-only) install_packages $packages_build $packages_run $packages_test; exit $? ;;
    --quick) quick=1 ;;
    *) echo "test.sh: unknown option $a (see the head of the file)" >&2; exit 2 ;;
  esac
done
install_packages $packages_build $packages_run $packages_test || { echo "test.sh: packages could not be installed" >&2; exit 1; }

passed=0 failed=0 skipped=()
log=$(mktemp -d) && trap 'rm -rf "$log"' EXIT
jobs=$(nproc)
say() { printf '\n== %s (%ds)\n' "$1" "$SECONDS"; }
count() { if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $2"; fi; }

# ctest_stage PRESET [ctest options]: adds ctest's own counts
ctest_stage() {
  local preset=$1; shift
  say "test $preset $*"
  ctest --preset "$preset" "$@" >"$log/ctest" 2>&1
  local rc=$? line
  line=$(grep -E 'tests passed, .* tests failed out of' "$log/ctest" | tail -n 1)
  if [ -z "$line" ]; then tail -n 20 "$log/ctest"; count 1 "ctest $preset ran no test"; return; fi
  local f=${line#*passed, }; f=${f%% *}
  local n=${line##*out of }
  local skips=() # ctest counts a test that says 77 among the passed ones
  mapfile -t skips < <(sed -nE "s/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) .*\*\*\*Skipped.*/$preset \1/p" "$log/ctest")
  skipped+=("${skips[@]}")
  passed=$((passed + n - f - ${#skips[@]})); failed=$((failed + f))
  if [ "$rc" != 0 ]; then grep -vE '^ *(Start|[0-9]+/[0-9]+ Test.*Passed)' "$log/ctest" | tail -n 80; fi
}

build() {
  say "build $1"
  cmake --preset "$1" >"$log/build" 2>&1 && cmake --build --preset "$1" -j "$jobs" >>"$log/build" 2>&1
  local rc=$?
  [ $rc = 0 ] || grep -E 'error|warning|FAILED|undefined|CMake Error' "$log/build" | head -n 40
  count $rc "build $1"
  return $rc
}

build dev && ctest_stage dev -L 'unit|layering' -j "$jobs"
if [ $quick = 0 ]; then
  build release && { ctest_stage release -L scenario -j "$jobs"; ctest_stage release -L system -j $((jobs + 1)); } # they mostly wait
  build asan && { ctest_stage asan -L unit -j "$jobs"; ctest_stage asan -R 'scenario\.(bit|001|37|381)' -j "$jobs"; }

  say "coverage of safety/"
  tests/coverage-safety.sh -j "$jobs" >"$log/coverage" 2>&1
  rc=$?; head -n 60 "$log/coverage"; count $rc "coverage of safety/"

  say "clang-format"
  git ls-files '*.c' '*.h' >"$log/sources" && [ -s "$log/sources" ] && # git may refuse a tree of another owner
    xargs clang-format --dry-run -Werror <"$log/sources" >"$log/format" 2>&1
  rc=$?; [ $rc = 0 ] || head -n 20 "$log/format"; count $rc clang-format

  say "clang-tidy" # one file a run: with several, clang-tidy 14 takes a va_list of the second file for uninitialised
  git ls-files 'agent/*.c' 'models/*.c' 'safety/*.c' 'sim/*.c' | xargs -P "$jobs" -n 1 clang-tidy --quiet -p build/dev >"$log/tidy" 2>&1
  rc=$?; [ $rc = 0 ] || grep -E 'error:|warning:' "$log/tidy" | sort -u | head -n 20; count $rc clang-tidy
fi
say done
for s in "${skipped[@]}"; do echo "SKIPPED, so not checked: $s (ctest --preset ${s%% *} -R ${s##* } -V says why)"; done
echo "$passed passed, $failed failed, ${#skipped[@]} skipped"
[ $failed = 0 ]
