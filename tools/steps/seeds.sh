#!/usr/bin/env bash
# ten thousand simulated worlds: everything acknowledged arrives once, everything finishes, nothing is left
set -euo pipefail
cd "$(dirname "$0")/../.."
tools/build.sh release -DMEARI_BUILD_TESTS=ON meari_sim
MEARI_SIM_SEEDS=${1:-10000} exec build/release/meari_sim --gtest_brief=1 --gtest_filter='Worlds.everything*'
