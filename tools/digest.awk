# ctest's output without the noise: of tests that pass only the count is left. Names what passed at its second attempt only.
# steps=1: the steps of ./check --all are shown when they pass, too.
/^ *Start +[0-9]+: / { next }
/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
  if (/\*\*\*Skipped/ || (/ Passed +[0-9.]+ sec/ && !(steps && /: step\./))) next
  sub(/ \.\.\.\.*/, " ... ")
  if (/\*\*\*(Failed|Timeout|Exception|Not Run)/) { name = $0; sub(/^[^:]*: /, "", name); sub(/ .*/, "", name); red[name] = 1 }
}
/^The following tests did not run:/ { skipping = 1; skipped = 0; next }
skipping && /^\t/ { skipped++; next }
skipping { skipping = 0; print skipped " tests were skipped; each says why: ctest -R NAME -V" }
/^The following tests FAILED:/ { listing = 1 }
listing && /^\t/ { name = $0; sub(/^[^-]*- /, "", name); sub(/ .*/, "", name); delete red[name] }
/ tests passed, / { whole = 1 }
{ print substr($0, 1, 400); fflush() }
END { if (whole) for (name in red) print "meari: passed at the second attempt only: " name > "/dev/stderr" }
