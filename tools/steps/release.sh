#!/usr/bin/env bash
# builds everything for users, with warnings as errors; its tests run beside the steps
set -euo pipefail
cd "$(dirname "$0")/../.."
settings=()
for name in MEARI_UNITY MEARI_TEST_SHARDS; do
  if [[ -n ${!name-} ]]; then settings+=("-D$name=${!name}"); fi
done
if ! tools/build.sh release -DMEARI_BUILD_TESTS=ON -DMEARI_WERROR=ON "${settings[@]}"; then exit 1; fi
grep -q '^GTest_DIR:PATH=/' build/release/CMakeCache.txt || { echo "GoogleTest was not found" >&2; exit 1; }
