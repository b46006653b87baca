#!/usr/bin/env bash
# test.sh PRESET [ctest arguments…]: builds a preset and runs its tests; of those that pass only the count is printed.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
preset=$1
shift
"$root/tools/build.sh" "$preset" -DMEARI_BUILD_TESTS=ON
# Half of the tests mostly wait: so there are two for each processor.
jobs=$((2 * ${MEARI_JOBS:-$(nproc)}))
# MEARI_REPEAT is set by ./check --all: other people's programs on a busy machine get a second attempt, which is told.
ctest --test-dir "$root/build/$preset" --output-on-failure --no-label-summary -j "$jobs" \
  ${MEARI_REPEAT:+--repeat "$MEARI_REPEAT"} "$@" 2>&1 | "$root/tools/digest.sh"
