#!/usr/bin/env bash
# build.sh PRESET [-DNAME=VALUE…] [TARGET…]: configures (when needed, or when a -D is given) and builds, quietly.
# On a terminal one line shows the progress; what is printed otherwise is what went wrong.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
preset=$1
shift
settings=() targets=()
for word in "$@"; do
  if [[ $word == -D* ]]; then settings+=("$word"); else targets+=("$word"); fi
done
folder=$root/build/$preset
log=$folder/build.log
mkdir -p "$folder"
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=true         # what one checkout compiled serves another one, too
exec 9>"$folder/.lock"                                   # ./run and ./check may be started side by side
flock 9

if [[ ! -e $folder/build.ninja || ${#settings[@]} -gt 0 ]]; then
  if ! (cd "$root" && cmake --preset "$preset" "${settings[@]}") >"$log" 2>&1; then
    cat "$log" >&2
    # What was found without a compiler would be believed once there is one.
    [[ -e $folder/build.ninja ]] || rm -rf "$folder/CMakeCache.txt" "$folder/CMakeFiles"
    echo "meari: configuring $preset failed" >&2
    exit 1
  fi
fi

progress() {
  if [[ -t 2 ]]; then
    awk -v name="$preset" '
      /^\[[0-9]+\/[0-9]+\]/ { split($1, n, /[][]/); printf "\r\033[Kbuilding %s %s", name, n[2] > "/dev/stderr" }
      END { printf "\r\033[K" > "/dev/stderr" }'
  else
    cat >/dev/null
  fi
}

build=(cmake --build "$folder" --parallel "${MEARI_JOBS:-$(nproc)}")
if [[ ${#targets[@]} -gt 0 ]]; then build+=(--target "${targets[@]}"); fi
if ! "${build[@]}" 2>&1 | tee "$log" | progress; then
  # Left out: progress, and the command lines of compilers.
  grep -vE -e '^\[[0-9]+/[0-9]+\] (Building|Linking|Re-checking|Re-running|Generating)' -e '^ninja: (build stopped|Entering)' \
    -e '^-- (Configuring|Generating|Build files|GLOB)' -e '^(: && )?(/[^ ]*/ccache )?/[^ ]*\+\+[^ ]* ' "$log" >&2 || true
  echo "meari: building $preset failed" >&2
  exit 1
fi
