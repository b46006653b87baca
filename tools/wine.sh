#!/usr/bin/env bash
# wine.sh PROGRAM.exe [ARGUMENT…]: runs a Windows program. wine.sh --keep stays until its input ends, wine.sh --stop ends
# everything that still runs. wine.sh --starter PROGRAM.exe FILE: makes FILE a command that runs it, for tests that take
# any program; it says nothing of its own, whatever the language.
#
# One wine installation for a build folder (MEARI_WINEPREFIX, else build/windows/wine), made on the first use. As long as some
# program runs there, the next one starts in a few hundredths of a second instead of seconds: that is what --keep is for.
# No window ever opens, and nothing of Mono or Gecko is asked for.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export WINEPREFIX=${MEARI_WINEPREFIX:-$root/build/windows/wine}
export WINEDEBUG=${WINEDEBUG:--all} WINEDLLOVERRIDES='mscoree,mshtml=;winemenubuilder.exe=d' WINEARCH=win64
unset DISPLAY WAYLAND_DISPLAY
wine=/usr/lib/wine/wine64                                 # the command `wine` complains that there is no 32-bit one
server=/usr/lib/wine/wineserver64
if [[ ! -x $wine ]]; then
  wine=$(command -v wine64 || command -v wine) || { echo "meari: wine is not installed (Debian: apt install wine64)" >&2; exit 127; }
  server=wineserver
fi

if [[ ${1-} == --stop ]]; then
  if [[ -d $WINEPREFIX ]]; then "$server" -k || true; fi
  exit 0
fi
if [[ ! -e $WINEPREFIX/.ready ]]; then
  mkdir -p "$WINEPREFIX"
  (
    flock 9
    if [[ ! -e $WINEPREFIX/.ready ]]; then
      # What stays running must not inherit the lock.
      timeout 300 "$wine" wineboot -i >/dev/null 2>&1 </dev/null 9>&-
      touch "$WINEPREFIX/.ready"
    fi
  ) 9>"$WINEPREFIX.lock"
fi
if [[ ${1-} == --starter ]]; then
  rm -f "$3"
  {
    echo '#!/bin/sh'
    # wine takes what has the number of a standard stream for it, were it the pipe to its own server, which is then lost.
    echo '[ -e /proc/self/fd/0 ] || exec </dev/null'
    echo '[ -e /proc/self/fd/1 ] || exec >/dev/null'
    echo '[ -e /proc/self/fd/2 ] || exec 2>/dev/null'
    for name in WINEPREFIX WINEDEBUG WINEDLLOVERRIDES WINEARCH; do printf "export %s='%s'\n" "$name" "${!name}"; done
    printf "unset DISPLAY WAYLAND_DISPLAY\nexec '%s' '%s' \"\$@\"\n" "$wine" "$(realpath "$2")"
  } >"$3"
  chmod +x "$3"
  exit 0
fi
if [[ ${1-} == --keep ]]; then exec "$wine" cmd /c 'set /p word=' >/dev/null 2>&1; fi
exec "$wine" "$@"
