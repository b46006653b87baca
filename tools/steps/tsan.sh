#!/usr/bin/env bash
# the tests of all that threads may share, under ThreadSanitizer
set -euo pipefail
cd "$(dirname "$0")/../.."
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
# Without those that move most bytes over the wire, which has no kernel under it and one thread: they took a quarter of the time.
export GTEST_FILTER='*-*Memory.*/wire:*Conversations.*/wire:*Writing.*/wire:*LargeMessages*/wire'
exec tools/test.sh tsan -LE 'lint|tools'
