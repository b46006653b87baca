#!/usr/bin/env bash
# Windows: everything cross-compiled with mingw-w64; its tests run under wine, and those of meari.exe and the examples
set -euo pipefail
cd "$(dirname "$0")/../.."
mapfile -t examples < <(basename -s .cpp -a examples/*.cpp)
tools/build.sh windows -DMEARI_BUILD_TESTS=ON -DMEARI_BUILD_EXAMPLES=ON meari_regression meari_unit meari_sim meari_contract \
  meari_command meari_program "${examples[@]/#/example_}"
folder=$PWD/build/windows
mkdir -p "$folder/logs"

# One Windows program stays, so that the others start quickly; it ends when this script does.
exec 8> >(exec tools/wine.sh --keep)
trap 'exec 8>&-; tools/wine.sh --stop' EXIT               # what wine keeps running beside it takes time from the next step

# run NAME: a GoogleTest program, whole. A busy machine gets a second attempt, which is told.
run() {
  local name=$1 attempt log
  for attempt in 1 2; do
    log=$folder/logs/$name.$attempt.log
    if timeout -k 5 240 tools/wine.sh "$folder/meari_$name.exe" >"$log" 2>&1 </dev/null 8>&-; then
      echo "$name: $(grep -ao '^\[  PASSED  \].*' "$log" | tr -d '\r' | tail -1)$(skipped "$log")"
      if [[ $attempt == 2 ]]; then echo "$name: only the second attempt passed; the first: $folder/logs/$name.1.log"; fi
      return 0
    fi
  done
  echo "$name failed; the end of $log:"
  tail -n 60 "$log"
  return 1
}
# run_python FOLDER MODULE: tests of programs, started by commands that run them under wine.
run_python() {
  local attempt log
  for attempt in 1 2; do
    log=$folder/logs/$2.$attempt.log
    if (cd "tests/$1" && exec timeout -k 5 240 python3 -B -m unittest -v "$2") >"$log" 2>&1 </dev/null 8>&-; then
      echo "$2: $(tail -n 1 "$log"), $(grep -o '^Ran .*' "$log")"
      if [[ $attempt == 2 ]]; then echo "$2: only the second attempt passed; the first: $folder/logs/$2.1.log"; fi
      return 0
    fi
  done
  echo "$2 failed; the end of $log:"
  tail -n 60 "$log"
  return 1
}
skipped() { grep -ao '^\[  SKIPPED \] [0-9]* test' "$1" | head -1 | sed 's/^\[  SKIPPED \]/,/; s/test/skipped/'; }

# meari.exe and the examples, as commands: the tests of the command and of the examples do not know the difference, but for
# the rows in tests/command/windows.py.
tools/wine.sh --starter "$folder/meari.exe" "$folder/meari" 8>&-
for program in "$folder"/examples/*.exe; do tools/wine.sh --starter "$program" "${program%.exe}" 8>&-; done
tools/build.sh release meari_command
export MEARI=$folder/meari MEARI_NATIVE=$PWD/build/release/meari MEARI_PROGRAM=$folder/meari_program.exe EXAMPLES=$folder/examples
export PYTHONPATH=$PWD/tests/support MEARI_SYSTEM=windows LC_ALL=C.UTF-8

# One more than there are processors: each mostly waits, though the server of wine has one processor for all of them.
failed=0
export folder
export -f run run_python skipped
{
  for name in contract sim unit regression; do echo run "$name"; done
  for module in $(python3 tests/command/windows.py); do echo run_python command "$module"; done
  echo run_python examples test_blocking
} | xargs -P "$((1 + ${MEARI_JOBS:-$(nproc)}))" -L 1 bash -c '"$@"' _ || failed=1

# What is handed out needs nothing but Windows.
(cd "$folder" && cpack >logs/package.log) || failed=1
needed=$(x86_64-w64-mingw32-objdump -p "$folder/meari.exe" | sed -n 's/.*DLL Name: //p')
if others=$(grep -viE '^(kernel32|msvcrt|mswsock|shell32|ws2_32|advapi32|api-ms-win-core-synch-l1-2-0)\.dll$' <<<"$needed"); then
  echo "meari.exe needs what Windows does not have: $others"
  failed=1
fi
packed=$(python3 -m zipfile -l "$folder"/meari-*-windows-x86_64.zip)
for file in meari.exe README.md README.ko.md; do
  grep -qE "(^|/)$file +" <<<"$packed" || { echo "the package lacks $file"; failed=1; }
done
exit $failed
