#!/usr/bin/env bash
# links and file names in the documents lead somewhere
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 -B tools/check_docs.py
