#!/usr/bin/env bash
# Shows that the public headers, each by itself, and the rooms of the library compile for Windows (mingw-w64); nothing is linked
# or run.
set -euo pipefail
cd "$(dirname "$0")/.."
compiler=x86_64-w64-mingw32-g++-posix
flags=(-D_WIN32_WINNT=0x0A00 -DWIN32_LEAN_AND_MEAN -DNOMINMAX)

tools/check_headers.sh "$compiler" "${flags[@]}"
rooms=()
for room in src/os src/backend src/loop src/net src/server src/sim; do
  if [[ -d $room ]]; then rooms+=("$room"); fi
done
if [[ ${#rooms[@]} == 0 ]]; then exit 0; fi
find "${rooms[@]}" -name '*.cpp' |
  { grep -vE '/((posix|uring|epoll|kernel)[^/]*|[^/]*_(posix|uring|epoll|kernel))\.cpp$' || true; } | sort |
  xargs -r -P "${MEARI_JOBS:-$(nproc)}" -n 8 bash -c '
  # Several files at a time: most of what is compiled is the headers that they share.
  for file in "$@"; do echo "#include \"$file\""; done |
    '"$compiler"' -std=c++23 -fsyntax-only -Wall -Wextra -Iinclude -I. '"${flags[*]}"' -DMEARI_HAS_TLS=0 -x c++ -' _
