#!/usr/bin/env bash
# generate.sh [MEARI]: makes the man pages and completions in docs/ again, from the command's table of flags.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
meari=${1-}
if [[ -z $meari ]]; then
  "$root/tools/build.sh" release meari
  meari=$root/build/release/meari
fi
mkdir -p "$root/docs/man/ko" "$root/docs/completions"
for page in meari meari-serve meari-connect meari-bench; do
  "$meari" generate man "$page" en >"$root/docs/man/$page.1"
  "$meari" generate man "$page" ko >"$root/docs/man/ko/$page.1"
done
"$meari" generate bash >"$root/docs/completions/meari.bash"
"$meari" generate zsh >"$root/docs/completions/_meari"
"$meari" generate fish >"$root/docs/completions/meari.fish"
