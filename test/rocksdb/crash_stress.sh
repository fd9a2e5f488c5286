#!/usr/bin/env bash
# What db_crashtest.py runs in place of db_stress; see crashtest.py, which sets
# the CRASH_* variables. Takes the process over, so that kills hit db_stress.
set -euo pipefail

db='' plain=()
for flag in "$@"; do
  case $flag in
    --db=*) db=${flag#*=} ;;&
    --fs_uri=*) ;;
    *) plain+=("$flag") ;;
  esac
done

if [ "$CRASH_ALTERNATE" = yes ]; then
  turns=$(cat -- "$CRASH_TURNS" 2>/dev/null || echo 0)
  echo $((turns + 1)) >"$CRASH_TURNS"
  if [ $((turns % 2)) = 1 ]; then
    # As a user would who goes back to posix after a crash.
    if [ -d "$db" ]; then
      "$CRASH_TOOL" recover "$db" >>"$CRASH_OUT" 2>&1 || {
        echo "fail: uringfs recover $db: exit code $?" >&2
        exit 1
      }
    fi
    set -- "${plain[@]}"
  fi
fi
exec "$CRASH_STRESS" "$@" >>"$CRASH_OUT"
