#!/usr/bin/env bash
# every public header compiles alone, also without exceptions and RTTI
set -euo pipefail
cd "$(dirname "$0")/../.."
exec tools/check_headers.sh
