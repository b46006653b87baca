#!/usr/bin/env bash
# clang-format agrees with every C++ file
set -euo pipefail
cd "$(dirname "$0")/../.."
exec tools/check_format.sh
