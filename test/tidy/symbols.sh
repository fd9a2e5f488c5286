#!/usr/bin/env bash
# symbols.sh ARCHIVE...: no function or variable of ours that one object defines
# is defined in another one too, inline or not: all are linked into one program,
# where one of the two would be called for both. (What is inline in one header is
# in many objects, and the same.)
set -euo pipefail

nm -A -C --defined-only "$@" | awk '
  {
    object = $1
    sub(/:[0-9a-f]*$/, "", object)
    name = $0
    sub(/^[^ ]+ +[A-Za-z] /, "", name)
    if ($2 !~ /^[TDBRWVu]$/ || name !~ /^uringfs::/) next
    # Constructors have several symbols of one name.
    if (seen[name, object]++) next
    members[name] = members[name] " " object
    count[name]++
    if ($2 ~ /^[TDBR]$/) strong[name] = 1
  }
  END {
    for (name in strong) {
      if (count[name] > 1) {
        print name " is defined in" members[name]
        bad = 1
      }
    }
    exit bad
  }'
