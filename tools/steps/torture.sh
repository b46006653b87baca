#!/usr/bin/env bash
# every system call fails, and every allocation, once and from then on, under AddressSanitizer (MEARI_TORTURE_ALL=1: more)
set -euo pipefail
cd "$(dirname "$0")/../.."
jobs=$((2 * ${MEARI_JOBS:-$(nproc)}))                      # half of them mostly wait
export preset=${MEARI_TORTURE_PRESET:-asan}                # or coverage: tools/long/coverage.sh
tools/build.sh "$preset" -DMEARI_BUILD_TESTS=ON meari_torture
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer-19 || true)      # which line a call is in
export ASAN_SYMBOLIZER_PATH
folder=${MEARI_TORTURE_LOGS:-$(mktemp -d)}
[[ -n ${MEARI_TORTURE_LOGS-} ]] || trap 'rm -rf "$folder"' EXIT
export MEARI_TORTURE_SITES=$folder/sites
: >"$MEARI_TORTURE_SITES"

# One process for each scenario: what dies takes no other with it. The slowest come first, so that no processor waits at the end.
build/"$preset"/meari_torture --gtest_list_tests --gtest_filter='*/*' |
  awk '/^[^ ]/ { suite = $1 } /^ / { print suite $1 }' | sort -t/ -k1,1r -k3,3 >"$folder/tests"
# shellcheck disable=SC2016
xargs -a "$folder/tests" -P "$jobs" -I{} bash -c '
  log="$1/$(tr / . <<<"{}").log"
  timeout "${MEARI_TORTURE_SECONDS:-170}" build/"$preset"/meari_torture --gtest_brief=1 --gtest_filter="{}" >"$log" 2>&1 || echo "{}" >>"$1/failed"
  ' _ "$folder" || true

# A busy machine gets a second attempt, alone and told; what fails twice has failed.
log_of() { echo "$folder/$(tr / . <<<"$1").log"; }
failed=0
if [[ -e $folder/failed ]]; then
  while read -r name; do
    log=$(log_of "$name")
    mv "$log" "$log.first"
    head -40 "$log.first"
    if timeout "${MEARI_TORTURE_SECONDS:-170}" build/"$preset"/meari_torture --gtest_brief=1 --gtest_filter="$name" >"$log" 2>&1; then
      echo "torture: passed at the second attempt only: $name"
    else
      head -60 "$log"
      echo "torture: failed: $name"
      failed=1
    fi
  done <"$folder/failed"
fi
if [[ $failed != 0 ]]; then exit 1; fi
grep -h '^torture:' "$folder"/*.log
build/"$preset"/meari_torture --gtest_brief=1 --gtest_filter='TortureTable.*:TortureEngine.*' >"$folder/proof" 2>&1 || { head -60 "$folder/proof"; exit 1; }
grep -h '^torture: .*reached$' "$folder/proof"
awk '/pairs \(/ { pairs += $5; well += substr($7, 2); failed += $13 } END {
  printf "torture: %d pairs in all; %d went well all the same, %d failed as they should\n", pairs, well, failed }' "$folder"/*.log
