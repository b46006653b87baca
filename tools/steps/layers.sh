#!/usr/bin/env bash
# #include goes down the floors of tools/layers.txt only; no file is too long
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 -B tools/check_layers.py
