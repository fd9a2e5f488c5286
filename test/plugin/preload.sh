#!/bin/bash
# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
#
# Runs the RocksDB tools of the system with liburingfs.so preloaded.
#   preload.sh <liburingfs.so> <db_bench> <ldb>
# Exit code 77: skipped.

set -euo pipefail

module=$1 db_bench=$2 ldb=$3
dir=$(mktemp -d "$PWD/preload.XXXXXX")
trap 'rm -rf "$dir"' EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

if ! LD_PRELOAD=$module "$ldb" --version 2>"$dir/err" >/dev/null &&
   grep -q "not registered" "$dir/err"; then
  cat "$dir/err" >&2
  exit 77
fi

bench() {
  LD_PRELOAD=$module "$db_bench" --db="$dir/db" --num=2000 "$@" 2>&1
}

# Every way to name it, and the statistics say that it was used.
for uri in uringfs uringfs:// 'uringfs://?wal_buffers=3' \
  'id=uringfs;data_buffers=3'; do
  rm -rf "$dir/db" "$dir/stats"
  URINGFS_OPTIONS="stats_file=$dir/stats" \
    bench --benchmarks=fillrandom,readrandom --fs_uri="$uri" >"$dir/out" ||
    fail "db_bench --fs_uri=$uri: $(tail -3 "$dir/out")"
  grep -q ' wal_appends=2000 ' "$dir/stats" || fail "$uri: $(cat "$dir/stats")"
  [ "$(grep -c statistics "$dir/stats")" = 1 ] || fail "$uri: written twice"
done
bench --benchmarks=fillrandom --env_uri=uringfs:// >/dev/null || fail env_uri

# The database opens without us, and with us, to the same keys.
"$ldb" --db="$dir/db" scan --hex >"$dir/keys"
LD_PRELOAD=$module "$ldb" --db="$dir/db" --fs_uri=uringfs:// scan --hex \
  >"$dir/keys_uringfs"
[ -s "$dir/keys" ] && cmp "$dir/keys" "$dir/keys_uringfs" || fail "keys differ"

# Bad input is refused by name.
for uri in 'uringfs://?wal_bufers=3' 'id=uringfs;wal_bufers=3'; do
  bench --benchmarks=fillrandom --fs_uri="$uri" >"$dir/out" &&
    fail "$uri was taken"
  grep -q "no option 'wal_bufers'" "$dir/out" || fail "$uri: $(cat "$dir/out")"
done
URINGFS_OPTIONS=x bench --benchmarks=fillrandom --fs_uri=uringfs:// \
  >"$dir/out" && fail "a bad URINGFS_OPTIONS was taken"
grep -q "environment variable URINGFS_OPTIONS" "$dir/out" ||
  fail "$(cat "$dir/out")"

# Programs that name no file system get it by URINGFS_DEFAULT, and read and
# leave what posix reads.
for value in 1 uringfs 'uringfs://?wal_buffers=3'; do
  rm -rf "$dir/db" "$dir/stats"
  URINGFS_DEFAULT=$value URINGFS_OPTIONS="stats_file=$dir/stats" \
    bench --benchmarks=fillrandom >"$dir/out" ||
    fail "URINGFS_DEFAULT=$value: $(tail -3 "$dir/out")"
  grep -q ' wal_appends=2000 ' "$dir/stats" ||
    fail "URINGFS_DEFAULT=$value: $(cat "$dir/stats")"
done
"$ldb" --db="$dir/db" scan --hex >"$dir/keys"
URINGFS_DEFAULT=1 LD_PRELOAD=$module "$ldb" --db="$dir/db" \
  --try_load_options scan --hex >"$dir/keys_uringfs"
[ -s "$dir/keys" ] && cmp "$dir/keys" "$dir/keys_uringfs" || fail "keys differ"
"$ldb" --db="$dir/db" --try_load_options scan --hex | cmp - "$dir/keys" ||
  fail "posix cannot load the options that were left"

# Not twice, where a program names it all the same.
rm -rf "$dir/db" "$dir/stats"
URINGFS_DEFAULT=1 URINGFS_OPTIONS="stats_file=$dir/stats" \
  bench --benchmarks=fillrandom --fs_uri=uringfs:// >"$dir/out" ||
  fail "default and named: $(tail -3 "$dir/out")"
[ "$(sed -n 's/.* wal_appends=\([0-9]*\) .*/\1/p' "$dir/stats" |
  sort -n | tail -1)" = 2000 ] || fail "on itself: $(cat "$dir/stats")"

# Off.
for value in '' 0; do
  rm -rf "$dir/db" "$dir/stats"
  URINGFS_DEFAULT=$value URINGFS_OPTIONS="stats_file=$dir/stats" \
    bench --benchmarks=fillrandom >"$dir/out" ||
    fail "URINGFS_DEFAULT=$value: $(tail -3 "$dir/out")"
  [ ! -e "$dir/stats" ] || fail "URINGFS_DEFAULT=$value was taken"
  ! grep -q uringfs: "$dir/out" || fail "$(cat "$dir/out")"
done

# What is wrong opens nothing: posix would open a killed database with less. In
# no mode, whether the database is there or not.
LD_PRELOAD=$module "$ldb" --db="$dir/db" scan --hex >"$dir/keys"
for values in 'uringfs://?wal_bufers=3|' 'posix|' 'id=uringfs|' '1|wal_bufers=3'
do
  value=${values%|*} options=${values##*|}
  tell="variable URINGFS_DEFAULT=.* cannot be used"
  for command in "scan" "get x" "put x y" "manifest_dump" \
    "--secondary_path=$dir/second scan" "checkpoint --checkpoint_dir=$dir/c"; do
    # shellcheck disable=SC2086
    if URINGFS_DEFAULT=$value URINGFS_OPTIONS=$options LD_PRELOAD=$module \
      "$ldb" --db="$dir/db" $command >"$dir/out" 2>&1 &&
      ! grep -q "nothing is opened" "$dir/out"; then
      fail "URINGFS_DEFAULT=$value: ldb $command: $(cat "$dir/out")"
    fi
    grep -q "$tell" "$dir/out" ||
      fail "URINGFS_DEFAULT=$value: ldb $command: $(cat "$dir/out")"
  done
  URINGFS_DEFAULT=$value URINGFS_OPTIONS=$options \
    bench --benchmarks=fillrandom >"$dir/out" &&
    fail "URINGFS_DEFAULT=$value was passed over"
  grep -q "$tell" "$dir/out" ||
    fail "URINGFS_DEFAULT=$value: $(cat "$dir/out")"
done
"$ldb" --db="$dir/db" scan --hex | cmp - "$dir/keys" || fail "it was changed"

echo PASSED
