#!/usr/bin/env bash
# a million idle connections, both ends on this machine, and a thousand busy ones among them: million.sh [CONNECTIONS] (root, 12 GiB)
set -euo pipefail
cd "$(dirname "$0")/../.."
connections=${1:-1000000}
if [[ ! $connections =~ ^[0-9]{4,8}$ ]]; then
  echo "million: how many connections? 1000 to 99999999" >&2
  exit 2
fi
if [[ $(id -u) != 0 ]]; then
  echo "million: wants root, to make a network namespace with limits of its own" >&2
  exit 2
fi
tools/build.sh release

# What belongs to the whole machine is put back at the end; all else is set in a network namespace, and gone with it.
declare -A before
raise() { # raise NAME LEAST
  before[$1]=$(<"/proc/sys/$1")
  if ((before[$1] < $2)); then echo "$2" >"/proc/sys/$1"; fi
}
put_back() {
  for name in "${!before[@]}"; do echo "${before[$name]}" >"/proc/sys/$name"; done
}
trap put_back EXIT
raise fs/file-max $((2 * connections + 200000))
# Keep-alive timers of connections that were opened within two seconds fire together, and a loopback drops what does not fit
# into its queue: with the usual 1,000 packets the same connections lose every probe, and die of it after a minute and a half.
raise net/core/netdev_max_backlog 300000

unshare --net python3 -B tools/long/million.py "$connections" &
trap 'kill -TERM $!' INT TERM
while kill -0 $! 2>/dev/null; do wait $! && exit 0 || status=$?; done
exit "$status"
