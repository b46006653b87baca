#!/usr/bin/env bash
# every test under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer, and 20 seconds of each fuzzer
set -euo pipefail
cd "$(dirname "$0")/../.."
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
export UBSAN_OPTIONS=print_stacktrace=1
exec tools/test.sh asan -LE 'lint|tools'
