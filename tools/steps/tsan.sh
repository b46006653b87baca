#!/usr/bin/env bash
# every test under ThreadSanitizer
set -euo pipefail
cd "$(dirname "$0")/../.."
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
exec tools/test.sh tsan -LE lint
