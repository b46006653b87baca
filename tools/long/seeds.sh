#!/usr/bin/env bash
# a million simulated worlds, or as many as are asked for (./check --long seeds COUNT [FIRST]), on all processors
set -euo pipefail
cd "$(dirname "$0")/../.."
count=${1:-1000000} first=${2:-1} jobs=${MEARI_JOBS:-$(nproc)}
tools/build.sh release -DMEARI_BUILD_TESTS=ON meari_sim
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

share() {                                                # share N: its part of the seeds, in pieces, so that a failure shows early
  local seed=$((first + $1 * part)) end=$((first + ($1 + 1) * part - 1)) piece
  ((end < first + count)) || end=$((first + count - 1))
  while ((seed <= end)); do
    piece=$((seed + 9999 < end ? seed + 9999 : end))
    if ! MEARI_SIM_SEEDS=$seed-$piece build/release/meari_sim --gtest_brief=1 --gtest_filter='Worlds.everything*' >"$logs/$1.$seed" 2>&1; then
      cat "$logs/$1.$seed"
      return 1
    fi
    seed=$((piece + 1))
  done
}

part=$(((count + jobs - 1) / jobs)) status=0 begin=$SECONDS
for ((job = 0; job < jobs; ++job)); do share "$job" & done
for ((job = 0; job < jobs; ++job)); do wait -n || status=1; done
cat "$logs"/* | awk -v real=$((SECONDS - begin)) '
  / seeds, .* of simulated time/ { seeds += $1; events += $3; simulated += $5 }
  END {
    if (real == 0) real = 1
    printf "%d seeds, %d events, %d s of simulated time in %d s: %d seeds per second, %d : 1\n", seeds, events, simulated, real, seeds / real, simulated / real
  }'
exit "$status"
