#!/usr/bin/env bash
# install.sh WORD…: installs what packages.txt lists for these words and this machine does not have yet.
# Silent, quick and without network when nothing is missing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
wanted=$(awk -v words="$*" '
  BEGIN { count = split(words, list, " "); for (i = 1; i <= count; i++) asked[list[i]] }
  /^#/ || NF < 2 { next }
  { for (i = 2; i <= NF; i++) if ($i in asked) { print $1; next } }' "$here/packages.txt")

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  exit 0                                                 # not a Debian: the build itself says what it misses
fi
# shellcheck disable=SC2086  # a list of words
present=$(dpkg-query -W -f '${binary:Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
  sed -n 's/^\([^: ]*\)\(:[^ ]*\)\{0,1\} installed$/\1/p' || true)
missing=$(comm -23 <(sort -u <<<"$wanted") <(sort -u <<<"$present") | sed '/^$/d')
if [[ -z $missing ]]; then exit 0; fi

as_root=()
if [[ $(id -u) != 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "meari: please install as root: apt-get install" $missing >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "meari: installing" $missing >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
"${apt[@]}" update >"$log" 2>&1 </dev/null || true       # without network the packages may still be at hand
# shellcheck disable=SC2086
if ! "${apt[@]}" install -y --no-install-recommends $missing >>"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  echo "meari: apt could not install" $missing >&2
  exit 1
fi
