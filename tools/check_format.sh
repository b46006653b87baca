#!/usr/bin/env bash
# Shows that clang-format agrees with every C++ file of the repository, or with the files that are given.
#   tools/check_format.sh           tools/check_format.sh --fix
set -euo pipefail
mode=(--dry-run -Werror)
if [[ ${1-} == --fix ]]; then mode=(-i) && shift; fi
if [[ $# -gt 0 ]]; then exec clang-format-19 "${mode[@]}" "$@"; fi
cd "$(dirname "$0")/.."
git ls-files -z --cached --others --exclude-standard '*.cpp' '*.hpp' ':!tests/lint' |
  xargs -0r sh -c 'for file; do [ -e "$file" ] && printf "%s\0" "$file"; done' _ |
  xargs -0r clang-format-19 "${mode[@]}" || { echo "tools/check_format.sh --fix mends this" >&2; exit 1; }
