#!/usr/bin/env bash
# In a system-call trace of a run, .log, .sst and .blob files are opened with
# O_DIRECT and their bytes go through io_uring: no write call ever names them.

. "$(dirname "$0")/lib.sh"

command -v strace > /dev/null || skip "strace is not installed"
strace -o /dev/null true 2> /dev/null || skip "strace may not trace here"

# Tables, and the first bytes of any file, go through the page cache otherwise.
OPTIONS="wal_ring_after_bytes=0;data_cached_bytes=0;data_cache=none"
trace=$root/trace
WRAP=(strace -f -y -o "$trace" -e
      trace=openat,write,writev,pwrite64,pwritev,pwritev2,io_uring_enter)
bench uringfs "$root/tables" fillrandom,compact --num=3000 \
  --write_buffer_size=100000
[ "$(stat_of over_pwrite)" = 0 ] ||
  { [ -n "${URINGFS_REQUIRE_URING:-}" ] && fail "io_uring was not used";
    skip "io_uring is not to be had here: $(cat "$root/stats")"; }

[ "$(stat_of buffered)" = 0 ] || fail "a file lost O_DIRECT on its way"

opens() { grep -E "openat\(.*\.$1\".*O_CREAT" "$trace"; }
for kind in log sst; do
  opens "$kind" > /dev/null || fail "no .$kind file was created"
  ! opens "$kind" | grep -v O_DIRECT || fail "a .$kind file without O_DIRECT"
done
! grep -E '(p?writev?|pwrite64|pwritev2)\([0-9]+<[^>]*\.(log|sst|blob)>' \
  "$trace" || fail "a write call went round io_uring"
enters=$(grep -c io_uring_enter "$trace")
[ "$enters" -gt 10 ] || fail "only $enters io_uring_enter calls"
echo "PASSED: $enters io_uring_enter calls, no write call on .log or .sst"

bench uringfs "$root/blobs" fillrandom,compact --num=2000 \
  --enable_blob_files=true --min_blob_size=50 --write_buffer_size=100000
opens blob > /dev/null || fail "no .blob file was created"
! opens blob | grep -v O_DIRECT || fail "a .blob file without O_DIRECT"
! grep -E '(p?writev?|pwrite64|pwritev2)\([0-9]+<[^>]*\.(log|sst|blob)>' \
  "$trace" || fail "a write call went round io_uring"
echo "PASSED: the same for .blob"
