#!/usr/bin/env bash
# one_byte.sh ROOT: src/README.md follows one byte through files and functions.
# Every file that it names there is one, and has the names that come behind it.
set -euo pipefail
cd -- "$1"

bad=0
named=0
# Pairs of a file and a name, `path` `Class::Name`.
while read -r path name; do
  named=$((named + 1))
  last=${name##*::}
  if [ ! -f "$path" ]; then
    echo "src/README.md: no file $path"
    bad=1
  elif ! grep -qE "(^|[^A-Za-z0-9_])$last([^A-Za-z0-9_]|$)" "$path"; then
    echo "src/README.md: $path has no $last"
    bad=1
  elif [ "$last" != "$name" ] && ! grep -qF -- "$name" "$path"; then
    echo "src/README.md: $path has no $name"
    bad=1
  fi
done < <(tr '\n' ' ' <src/README.md |
  grep -oE '`(src|plugin)/[a-z0-9_/.]+` +`[A-Za-z0-9_:]+`' | tr -d '`')
if [ "$named" -eq 0 ]; then
  echo "src/README.md names no function at all"
  bad=1
fi
exit $bad
