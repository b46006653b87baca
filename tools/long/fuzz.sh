#!/usr/bin/env bash
# every fuzzer of tests/fuzz for an hour (or as many seconds as given), two side by side: fuzz.sh [SECONDS] [NAME…]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=3600
if [[ ${1-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
export UBSAN_OPTIONS=print_stacktrace=1

names=("$@")
if [[ ${#names[@]} == 0 ]]; then
  for source in tests/fuzz/*.cpp; do names+=("$(basename "$source" .cpp)"); done
fi
tools/build.sh asan -DMEARI_BUILD_TESTS=ON "${names[@]/#/fuzz_}"
folder=$PWD/build/asan/fuzz
mkdir -p "$folder/long"

# What is found on the way is kept in build/asan/fuzz/found/NAME; the next campaign goes on from there. A failure leaves
# NAME-crash-… or NAME-leak-… there: the program takes such a file as its argument and fails again.
one() {
  local name=$1
  local -a corpus=("$folder/found/$name")
  mkdir -p "${corpus[0]}"
  if [[ -d tests/fuzz/$name ]]; then corpus+=("tests/fuzz/$name"); fi
  if "$folder/fuzz_$name" -max_total_time="$seconds" -artifact_prefix="$folder/$name-" -rss_limit_mb=4096 \
    -timeout=25 -print_final_stats=1 "${corpus[@]}" >"$folder/long/$name.log" 2>&1; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/long/$name.log") inputs, no failure"
  else
    echo "$name: FAILED; see $folder/long/$name.log"
    tail -30 "$folder/long/$name.log"
    return 1
  fi
}
export -f one
export seconds folder
printf '%s\n' "${names[@]}" | xargs -P "${MEARI_JOBS:-$(nproc)}" -I{} bash -c 'one {}'
