#!/usr/bin/env bash
# every test built by g++
set -euo pipefail
cd "$(dirname "$0")/../.."
exec tools/test.sh gcc -LE 'lint|tools'
