#!/usr/bin/env bash
# which lines and branches of the library the tests and the torture run: a table, pages, and a list of what none runs
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/coverage
export LLVM_PROFILE_FILE=$PWD/$build/profiles/%m.profraw     # one for each program: all its runs add up in it
tools/build.sh coverage -DMEARI_BUILD_TESTS=ON
tools/build.sh coverage meari_torture                    # reaches what follows when a call of the system fails
rm -rf "$build/profiles"                                 # what ran in an earlier run, or while building, is not this run
failed=0
ctest --test-dir "$build" --output-on-failure --no-label-summary -LE lint -j "${MEARI_JOBS:-$(nproc)}" >"$build/tests.log" 2>&1 || failed=1
tail -n 20 "$build/tests.log"
MEARI_TORTURE_PRESET=coverage MEARI_TORTURE_SECONDS=900 tools/steps/torture.sh >"$build/torture.log" 2>&1 || failed=1
tail -n 3 "$build/torture.log"
llvm-profdata-19 merge -sparse "$build"/profiles/*.profraw -o "$build/all.profdata"

programs=()
for program in "$build"/meari "$build"/meari_* "$build"/examples/*; do
  if [[ ! -x $program || ! -f $program ]]; then continue; fi
  if [[ ${#programs[@]} == 0 ]]; then programs=("$program"); else programs+=(-object "$program"); fi
done
# Floors 1 to 5 and the server (tools/layers.txt).
rooms=(include/meari src/os src/backend src/loop src/net src/server)
options=("${programs[@]}" -instr-profile="$build/all.profdata")
llvm-cov-19 show -format=html -show-branches=count -output-dir="$build/report" "${options[@]}" -sources "${rooms[@]}"
llvm-cov-19 export -format=lcov "${options[@]}" -sources "${rooms[@]}" >"$build/all.lcov"
llvm-cov-19 export -format=text -skip-functions -skip-expansions "${options[@]}" -sources "${rooms[@]}" >"$build/all.json"
python3 -B tools/coverage_table.py "$build/all.lcov" "$build/all.json" "$build/uncovered.txt"
echo "pages: $build/report/index.html"
echo "what no test runs: $build/uncovered.txt"
exit "$failed"
