#!/usr/bin/env bash
# clang-tidy finds no mistake
set -euo pipefail
cd "$(dirname "$0")/../.."
exec tools/check_tidy.sh
