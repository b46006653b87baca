#!/usr/bin/env bash
# our coroutines keep to the shapes that every compiler gets right
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 -B tools/check_coroutines.py
