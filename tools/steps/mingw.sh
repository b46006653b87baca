#!/usr/bin/env bash
# public headers and every file of the library compile for Windows
set -euo pipefail
cd "$(dirname "$0")/../.."
exec tools/check_mingw.sh
