#!/usr/bin/env bash
# public headers and the rooms without platform code compile for Windows
set -euo pipefail
cd "$(dirname "$0")/../.."
exec tools/check_mingw.sh
