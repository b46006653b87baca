#!/usr/bin/env bash
# Shows that clang-tidy finds nothing in the library and the command (the rules are in .clang-tidy), or in the files that are given.
set -euo pipefail
cd "$(dirname "$0")/.."
# What is compiled how is known from the release build's configuration; nothing needs to be built for it.
cmake --preset release >/dev/null
if [[ $# == 0 ]]; then
  mapfile -t known < <(python3 -c '
import json, os
root = os.getcwd()
names = {os.path.relpath(entry["file"], root) for entry in json.load(open("build/release/compile_commands.json"))}
print(*sorted(name for name in names if name.startswith("src/") and os.path.exists(name)), sep="\n")')
  set -- "${known[@]}"
fi
printf '%s\0' "$@" | xargs -0 -P "${MEARI_JOBS:-$(nproc)}" -n 1 clang-tidy-19 --quiet -p build/release --warnings-as-errors='*' 2>/dev/null
