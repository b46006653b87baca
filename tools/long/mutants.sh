#!/usr/bin/env bash
# the core with a mistake put in, 200 times: do the tests notice? (mutants.sh --help)
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 -B tools/long/mutants.py --jobs "${MEARI_JOBS:-$(nproc)}" "$@"
