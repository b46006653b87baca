#!/usr/bin/env bash
# the torture in full: every fault at every call, also where a loop makes the same one a hundred times
set -euo pipefail
cd "$(dirname "$0")/../.."
export MEARI_TORTURE_ALL=1 MEARI_TORTURE_SECONDS=3600
exec tools/steps/torture.sh
