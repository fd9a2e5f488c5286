#!/usr/bin/env bash
# An unmodified db_bench lives its whole life on one file system; the database
# is then read, checked and continued on the other one. Both ways.

. "$(dirname "$0")/lib.sh"

# Tables as well.
OPTIONS="data_cache=none"
life=fillseq,fillrandom,overwrite,readrandom,readseq,compact

# The keys are those of fillrandom with a seed, so both must hold the same.
declare -A sums
for fs in uringfs posix; do
  other=$([ "$fs" = uringfs ] && echo posix || echo uringfs)
  db=$root/$fs
  bench "$fs" "$db" "$life"
  if [ "$fs" = uringfs ]; then
    cat "$root/stats"
    [ "$(stat_of wal_files)" -ge 3 ] || fail "no WAL went over uringfs"
    [ "$(stat_of data_files)" -ge 1 ] || fail "no table went over uringfs"
  fi
  bench "$other" "$db" readrandom,readseq --use_existing_db
  grep -E '^(readrandom|readseq)' "$root/out" | tr '\r' '\n' |
    grep -E 'readrandom|readseq' | sed "s/^/written by $fs, read by $other: /"
  check_on_posix "$db"
  same_content "$db"
  sums[$fs]=$sum
  # The other one goes on with it, and the first reads that.
  bench "$other" "$db" overwrite,compact --use_existing_db
  check_on_posix "$db"
  same_content "$db"
done
[ "${sums[uringfs]}" = "${sums[posix]}" ] ||
  fail "the same benchmarks left different contents on the two file systems"

# Blob files, synced writes.
bench uringfs "$root/blob" fillrandom,compact --enable_blob_files=true \
  --min_blob_size=0 --sync=1 --num=$((keys / 20))
ls "$root"/blob/*.blob > /dev/null || fail "no blob file was written"
[ "$(stat_of wal_stable_advances)" -gt 0 ] || fail "hi_stable never moved"
check_on_posix "$root/blob"
same_content "$root/blob"
echo "PASSED with $keys keys"
