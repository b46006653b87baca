#!/usr/bin/env bash
# Shows that every public header compiles alone, may be included twice, and needs neither exceptions nor RTTI.
#   tools/check_headers.sh [COMPILER [FLAGS…]]
set -euo pipefail
cd "$(dirname "$0")/.."
compiler=${1:-clang++-19}
shift || true

one() {                                                  # one HEADER FLAGS…
  local header=$1 status=0
  shift
  printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
    "$compiler" -std=c++23 -fsyntax-only -Wall -Wextra -Wpedantic -Werror -Iinclude -x c++ "$@" - 2>"$logs/$$.$BASHPID" || status=$?
  if [[ $status != 0 ]]; then
    echo "<$header> does not compile alone ($compiler $*):"
    cat "$logs/$$.$BASHPID"
    return 1
  fi
}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export -f one
export compiler logs

# xargs runs them side by side; any failure is a failure of the whole.
# Those that have a part for programs with exceptions are compiled with them, too.
find include/meari -name '*.hpp' | sed 's|^include/||' | sort |
  xargs -P "${MEARI_JOBS:-$(nproc)}" -I{} \
    bash -c 'one "$@" -fno-exceptions -fno-rtti && { ! grep -q __cpp_exceptions "include/$1" || one "$@"; }' _ {} "$@"
