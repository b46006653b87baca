#!/usr/bin/env bash
# test.sh PRESET [ctest arguments…]: builds a preset and runs its tests; of those that pass only the count is printed.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
preset=$1
shift
"$root/tools/build.sh" "$preset" -DMEARI_BUILD_TESTS=ON
ctest --test-dir "$root/build/$preset" --output-on-failure --no-label-summary -j "${MEARI_JOBS:-$(nproc)}" "$@" 2>&1 |
  grep -vE '^ *(Start +[0-9]+: |[0-9]+/[0-9]+ Test +#[0-9]+: .* Passed )'
