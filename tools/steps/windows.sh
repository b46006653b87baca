#!/usr/bin/env bash
# Windows: everything cross-compiled with mingw-w64, its tests run under wine
set -euo pipefail
cd "$(dirname "$0")/../.."
tools/build.sh windows -DMEARI_BUILD_TESTS=ON meari_regression meari_unit meari_sim meari_contract
folder=$PWD/build/windows
mkdir -p "$folder/logs"

# One Windows program stays, so that the others start quickly; it ends when this script does.
exec 8> >(exec tools/wine.sh --keep)
trap 'exec 8>&-' EXIT

# run NAME PROGRAM [ARGUMENT…]: a GoogleTest program, whole. A busy machine gets a second attempt, which is told.
run() {
  local name=$1 attempt log
  shift
  for attempt in 1 2; do
    log=$folder/logs/$name.$attempt.log
    if timeout -k 5 240 tools/wine.sh "$@" >"$log" 2>&1 </dev/null 8>&-; then
      echo "$name: $(grep -ao '^\[  PASSED  \].*' "$log" | tr -d '\r' | tail -1)$(skipped "$log")"
      if [[ $attempt == 2 ]]; then echo "$name: only the second attempt passed; the first: $folder/logs/$name.1.log"; fi
      return 0
    fi
  done
  echo "$name failed; the end of $log:"
  tail -n 60 "$log"
  return 1
}
skipped() { grep -ao '^\[  SKIPPED \] [0-9]* test' "$1" | head -1 | sed 's/^\[  SKIPPED \]/,/; s/test/skipped/'; }

failed=0
run regression "$folder/meari_regression.exe" || failed=1
run unit "$folder/meari_unit.exe" || failed=1
run contract "$folder/meari_contract.exe" || failed=1
run sim "$folder/meari_sim.exe" || failed=1
exit $failed
