#!/usr/bin/env bash
# A synced put in steady state is one write: no other system call of the WAL's,
# no fdatasync where the durable write is the faster way, and one flush of the
# disk. Counted in db_bench by strace and, where it can be, by the disk itself.
#
# All calls of one run count, those of its start and end too: some dozens.

. "$(dirname "$0")/lib.sh"

command -v strace > /dev/null || skip "strace is not installed"
strace -o /dev/null true 2> /dev/null || skip "strace may not trace here"

# The flush counter of the disk below $root; nothing if it has none.
device=$(stat -c '%Hd:%Ld' "$root")
flushes() {
  awk '{ print $16 }' "/sys/dev/block/$device/stat" 2> /dev/null ||
    awk '{ print $16 }' "/sys/dev/block/$device/../stat" 2> /dev/null || true
}

put() {
  bench "$1" "$root/db" fillrandom --value_size=100 --sync=1 --threads=1 \
    --write_buffer_size=$((1 << 30)) --stats_per_interval=0 --num="$2"
  rm -rf "$root/db"
}

# count NUMBER_OF_PUTS: sets $writes, $syncs and $all of that run.
count() {
  WRAP=(strace -f -c -S calls -U calls,name -o "$root/calls")
  put uringfs "$1"
  WRAP=()
  of() { awk -v names=" $* " 'index(names, " " $2 " ") { n += $1 }
    END { print n + 0 }' "$root/calls"; }
  writes=$(of pwritev2)
  syncs=$(of fdatasync fsync)
  all=$(of pwritev2 fdatasync fsync io_uring_enter ftruncate fallocate)
}

per_put() { awk -v a="$1" -v n="$keys" 'BEGIN { printf "%.3f", a / n }'; }
below() { awk -v x="$1" -v limit="$2" 'BEGIN { exit !(x < limit) }'; }

count "$keys"
[ "$(stat_of wal_extensions)" -ge 1 ] || skip \
  "the WAL has no zeros ahead on this file system: $(stat_of first_reason)"
way=$(stat_of wal_sync_way)
writes=$(per_put "$writes") syncs=$(per_put "$syncs") all=$(per_put "$all")
echo "per synced put: $writes writes, $syncs fdatasyncs, $all calls for the" \
  "WAL in all; the faster way here is '$way'"
below "$all" 2.2 || fail "more than a write and a flush"
if [ "$way" = dsync ]; then
  below "$syncs" 0.05 || fail "an fdatasync beside the durable write"
  below "$writes" 1.1 || fail "more than one write"
fi

before=$(flushes)
if [ -n "$before" ]; then
  put uringfs "$keys"
  ours=$(($(flushes) - before))
  before=$(flushes)
  put posix "$keys"
  theirs=$(($(flushes) - before))
  # Others may use the disk meanwhile, so nothing is demanded.
  echo "flushes of the disk per synced put: uringfs" \
    "$(per_put "$ours"), posix $(per_put "$theirs")"
fi
echo "PASSED: a synced put is one durable write or, where that is slower, a" \
  "write and a flush"
