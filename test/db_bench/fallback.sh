#!/usr/bin/env bash
# Where io_uring, O_DIRECT or locked memory cannot be had the same run succeeds
# over the fall-back, says so, and plain RocksDB reads the result.

deny=${3:?path of deny_io_uring}
. "$(dirname "$0")/lib.sh"

# Tables as well.
OPTIONS="data_cache=none"
life=fillseq,fillrandom,overwrite,readrandom,readseq,compact

# report NAME DB: the last run's statistics are printed and DB is checked.
report() {
  echo "$1:"
  grep -E 'over_io_uring|first_reason' "$root/stats"
  check_on_posix "$2"
  same_content "$2"
}

# 1. io_uring forbidden by a seccomp filter, as in containers.
WRAP=("$deny")
bench uringfs "$root/seccomp" "$life"
WRAP=()
report "seccomp filter" "$root/seccomp"
[ "$(stat_of over_io_uring)" = 0 ] || fail "io_uring went through the filter"
[ "$(stat_of over_pwrite)" -gt 0 ] || fail "nothing went over pwrite"
grep -q 'io_uring_setup: Operation not permitted' "$root/stats" ||
  fail "the reason is not told in the statistics"
grep -q 'io_uring_setup: Operation not permitted' "$root/seccomp/LOG" ||
  fail "the reason is not told in the database's LOG"

# 2. tmpfs.
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
  shm=$(mktemp -d /dev/shm/uringfs_test.XXXXXX)
  cleanup+=("rm -rf '$shm'")
  bench uringfs "$shm/db" "$life"
  report tmpfs "$shm/db"
  [ "$(stat_of buffered)" -gt 0 ] || fail "tmpfs was not told from a disk"
  grep -q tmpfs "$root/stats" || fail "the reason is not told"
else
  echo "tmpfs: left out, /dev/shm is not writable"
fi

# 3. No locked memory, as an unprivileged user: root is not limited.
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
  chmod 755 "$root"
  mkdir "$root/memlock"
  chown 65534:65534 "$root/memlock"
  if setpriv --reuid=65534 --regid=65534 --clear-groups \
       test -w "$root/memlock" -a -r "$module"; then
    for limit in 0 64; do
      WRAP=(setpriv --reuid=65534 --regid=65534 --clear-groups
            bash -c "ulimit -l $limit && exec \"\$@\"" bash)
      stats=$root/memlock/stats$limit
      "${WRAP[@]}" env "LD_PRELOAD=$module" \
        "URINGFS_OPTIONS=stats_file=$stats;$OPTIONS" \
        db_bench --fs_uri=uringfs:// "--db=$root/memlock/db$limit" \
        "--benchmarks=$life" "--num=$keys" --seed=1 > "$root/out" 2>&1 ||
        { cat "$root/out" >&2; fail "ulimit -l $limit"; }
      WRAP=()
      cp "$stats" "$root/stats"
      report "ulimit -l $limit" "$root/memlock/db$limit"
      grep -q 'ulimit -l' "$root/stats" || fail "the reason is not told"
    done
  else
    echo "ulimit -l: left out, user 65534 cannot reach $root"
  fi
else
  echo "ulimit -l: left out, needs root to become another user"
fi
echo "PASSED with $keys keys"
