#!/usr/bin/env bash
# which lines the tests run: a table, and pages under build/coverage/report
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/coverage
export LLVM_PROFILE_FILE=$PWD/$build/profiles/%p-%m.profraw
tools/build.sh coverage -DMEARI_BUILD_TESTS=ON
rm -rf "$build/profiles"                                 # what ran in an earlier run, or while building, is not this run
ctest --test-dir "$build" --output-on-failure --no-label-summary -LE lint -j "${MEARI_JOBS:-$(nproc)}"
llvm-profdata-19 merge -sparse "$build"/profiles/*.profraw -o "$build/all.profdata"

programs=()
for program in "$build"/meari "$build"/meari_* "$build"/examples/*; do
  if [[ -x $program && -f $program ]]; then programs+=(-object "$program"); fi
done
options=(-instr-profile="$build/all.profdata" -ignore-filename-regex='^(/usr|.*/tests|.*/examples)/' "${programs[@]}")
llvm-cov-19 show -format=html -output-dir="$build/report" "${options[@]}"
llvm-cov-19 report "${options[@]}"
