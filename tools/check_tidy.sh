#!/usr/bin/env bash
# Shows that clang-tidy finds nothing in the library and the command (the rules are in .clang-tidy), or in the files that are given.
set -euo pipefail
cd "$(dirname "$0")/.."
# What is compiled how is known from a configuration; nothing needs to be built for it.
folder=build/release
if [[ $# == 0 ]]; then
  # Several files at a time: most of what clang-tidy looks at is the headers that they share.
  folder=build/lint
  cmake --preset release -B "$folder" -DMEARI_UNITY=ON -DMEARI_BUILD_TESTS=OFF -DMEARI_BUILD_EXAMPLES=OFF -DMEARI_BUILD_BENCH=OFF >/dev/null
  mapfile -t known < <(python3 -c '
import json, sys
print(*sorted({entry["file"] for entry in json.load(open(sys.argv[1] + "/compile_commands.json"))}), sep="\n")' "$folder")
  set -- "${known[@]}"
else
  cmake --preset release >/dev/null
fi
printf '%s\0' "$@" | xargs -0 -P "${MEARI_JOBS:-$(nproc)}" -n 1 clang-tidy-19 --quiet -p "$folder" --warnings-as-errors='*' 2>/dev/null
