#!/usr/bin/env bash
# a program builds against the installed shared library
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake -S . -B build/package -G Ninja -DCMAKE_CXX_COMPILER=clang++-19 -DBUILD_SHARED_LIBS=ON -DMEARI_BUILD_COMMAND=OFF \
  -DMEARI_BUILD_TESTS=OFF -DMEARI_BUILD_EXAMPLES=OFF -DMEARI_BUILD_BENCH=OFF -DMEARI_UNITY=ON >/dev/null
cmake --build build/package --parallel "${MEARI_JOBS:-$(nproc)}" >build/package/build.log || { cat build/package/build.log; exit 1; }
exec tests/package/run.sh "$PWD/build/package" clang++-19
