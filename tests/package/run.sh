#!/usr/bin/env bash
# Shows that a program builds and runs against the installed meari: once with find_package, once with pkg-config.
# run.sh BUILD_FOLDER COMPILER
set -euo pipefail

build=$1 compiler=$2
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch/first" >"$scratch/install.log" || { cat "$scratch/install.log"; exit 1; }
mv "$scratch/first" "$scratch/prefix"                    # an installed tree may be moved

echo "with find_package:"
cmake -S "$here" -B "$scratch/user" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$scratch/prefix" \
  -DMEARI_TRUST_COMPILER=ON >"$scratch/configure.log" || { cat "$scratch/configure.log"; exit 1; }
cmake --build "$scratch/user" >"$scratch/build.log" || { cat "$scratch/build.log"; exit 1; }
"$scratch/user/package_user"

echo "with pkg-config:"
PKG_CONFIG_PATH=$(dirname "$(find "$scratch/prefix" -name meari.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046  # the flags are meant to be split
"$compiler" -std=c++23 "$here/main.cpp" -o "$scratch/by_pkg_config" $(pkg-config --cflags --libs --static meari)
LD_LIBRARY_PATH="$(dirname "$PKG_CONFIG_PATH")" "$scratch/by_pkg_config"

if [[ -e $scratch/prefix/bin/meari ]]; then
  echo "the command:"
  "$scratch/prefix/bin/meari" --version
  for file in man/man1/meari-connect.1 man/ko/man1/meari-serve.1 bash-completion/completions/meari zsh/site-functions/_meari \
    fish/vendor_completions.d/meari.fish; do
    [[ -s $scratch/prefix/share/$file ]] || { echo "not installed: share/$file" >&2; exit 1; }
  done
fi
