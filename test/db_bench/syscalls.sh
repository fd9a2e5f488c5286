#!/usr/bin/env bash
# Unsynced puts make no system calls of their own: the ring takes them, and a
# background thread writes out many at a time. Counted in db_bench by strace.
#
# Start and end of db_bench make thousands of calls, so two runs are compared,
# of N and of 2N puts: what the second N took is (calls(2N) - calls(N)) / N per
# put. Calls of all threads count, the background one's too.

. "$(dirname "$0")/lib.sh"

command -v strace > /dev/null || skip "strace is not installed"
strace -o /dev/null true 2> /dev/null || skip "strace may not trace here"

limit=0.05

# calls NUMBER_OF_PUTS [FLAG...]: sets $total; the table stays in $root/calls.
# The memtable takes all puts, because one that fills up is written as a table
# by another thread, whose calls are none of the WAL's. fillrandom is all there
# is: at its end the WAL is closed, not the memtable flushed.
calls() {
  local puts=$1
  shift
  # strace is not preloaded, db_bench is: `env` stands between the two.
  WRAP=(strace -f -c -S calls -U calls,name -o "$root/calls")
  bench uringfs "$root/db" fillrandom --value_size=100 --sync=0 --threads=1 \
    --write_buffer_size=$((1 << 30)) --disable_auto_compactions=1 \
    --max_background_jobs=2 --stats_per_interval=0 "$@" --num="$puts"
  WRAP=()
  [ "$(stat_of wal_files)" -ge 1 ] || fail "no WAL went over uringfs"
  [ "$(stat_of shared_rings)" -ge 1 ] ||
    skip "WALs have no shared ring here, so each flush is a write"
  ! ls "$root"/db/*.sst > /dev/null 2>&1 ||
    fail "a memtable was flushed: it is not only the WAL that was counted"
  total=$(awk '$2 == "total" { print $1 }' "$root/calls")
  [ "${total:-0}" -gt 0 ] || { cat "$root/calls" >&2; fail "nothing counted"; }
  echo "$puts puts: $total calls; most of them:"
  awk '$1 ~ /^[0-9]+$/ && $2 != "total" && shown++ < 5' "$root/calls"
  rm -rf "$root/db"
}

calls "$keys"
once=$total
calls $((2 * keys))
per_put=$(awk -v a="$once" -v b="$total" -v n="$keys" \
  'BEGIN { printf "%.5f", (b - a) / n }')
awk -v x="$per_put" -v limit="$limit" 'BEGIN { exit !(x < limit) }' ||
  fail "$per_put system calls per unsynced put; less than $limit are promised"
echo "PASSED: $per_put system calls per unsynced put over $keys puts"
