#!/usr/bin/env bash
# run.sh LIBURINGFS FOLDER: liburingfs.so preloaded into programs that have no
# RocksDB, one of another release, one for themselves alone, or several. FOLDER
# holds the programs and objects.
set -euo pipefail

preload=$1 folder=$2
dir=$(mktemp -d "${URINGFS_TEST_DIR:-$PWD}/uringfs_test.XXXXXX")
trap 'rm -rf -- "$dir"' EXIT

# run DEFAULT COMMAND...: its output in $dir/out, stderr in $dir/err.
run() {
  local default=$1
  shift
  rm -rf -- "$dir/db" "$dir/stats"
  URINGFS_DEFAULT=$default URINGFS_OPTIONS=stats_file=$dir/stats \
    LD_PRELOAD=$preload "$@" >"$dir/out" 2>"$dir/err" || {
    echo "FAILED: exit code $? of URINGFS_DEFAULT=$default $*"
    cat -- "$dir/out" "$dir/err"
    exit 1
  }
}
fail() {
  echo "FAILED: $*"
  cat -- "$dir/out" "$dir/err"
  exit 1
}
silent() { [ ! -s "$dir/err" ] || fail "$1 is told something"; }
# said TEXT: in one line, once.
said() {
  [ "$(wc -l <"$dir/err")" = 1 ] && grep -q -- "$1" "$dir/err" ||
    fail "not one line with '$1'"
}

for default in '' 1; do
  run "$default" cat /proc/self/maps
  grep -q liburingfs.so "$dir/out" || fail "it was not preloaded"
  ! grep -q 'librocksdb\|uringfs_module' "$dir/out" ||
    fail "a program without RocksDB got one"
  silent "a program without RocksDB"
done

for default in '' 1; do
  run "$default" "$folder/direct"
  grep -q 'stranger: fine' "$dir/out" || fail "not as without it"
  said 'runs RocksDB 9.99, and .*No such file'
done

# Only where it is asked for is a RocksDB looked at that others do not see.
for object in stranger stranger_old private_rocksdb; do
  run '' "$folder/opener" "$dir/db" "$folder/lib$object.so"
  silent "a program that did not ask"
  [ ! -e "$dir/stats" ] || fail "uringfs was used unasked"
done
run 1 "$folder/opener" "$dir/db" "$folder/libstranger.so"
said 'runs RocksDB 9.99, and .*No such file'
run 1 "$folder/opener" "$dir/db" "$folder/libstranger_old.so"
said 'does not tell its release'

# One that is linked into the program.
run '' "$folder/static_stranger"
said 'runs RocksDB 9.99, and .*No such file'
run 1 "$folder/static_stranger"
grep -q 'stranger: fine' "$dir/out" || fail "not as without it"
said 'has a RocksDB linked into it'

used() {
  grep -q 'private: fine' "$dir/out" || fail "RocksDB failed"
  grep -q ' wal_appends=1 ' "$dir/stats" || fail "uringfs was not used"
}
run 1 "$folder/opener" "$dir/db" "$folder/libprivate_rocksdb.so"
used
silent "who gets what he asked for"
for order in "stranger private_rocksdb" "private_rocksdb stranger"; do
  # shellcheck disable=SC2086
  run 1 "$folder/opener" "$dir/db" $(printf "$folder/lib%s.so " $order)
  used
  grep -q 'stranger: fine' "$dir/out" || fail "not as without it"
  said 'runs RocksDB 9.99, and .*No such file'
done

# Asked for, and there, but not to be had: posix could open a killed database
# with less.
refused() {
  if URINGFS_DEFAULT=1 LD_PRELOAD=$1/liburingfs.so "$folder/opener" "$dir/db" \
    "$folder/libprivate_rocksdb.so" >"$dir/out" 2>"$dir/err"; then
    fail "$2: it ran"
  fi
  said "nothing is opened.*$3"
  [ ! -e "$dir/db/CURRENT" ] || fail "$2: a database was made"
}
rm -rf -- "$dir/db"
mkdir -- "$dir/alone" "$dir/broken"
cp -- "$preload" "$dir/alone/"
refused "$dir/alone" "liburingfs.so was copied alone" "No such file"
cp -r -- "${preload%/*}/uringfs" "$preload" "$dir/broken/"
for module in "$dir"/broken/uringfs/*/liburingfs_module.so; do
  echo "no object" >"$module"
done
refused "$dir/broken" "the module is broken" "file too short"
cp -r -- "$dir/broken" "$dir/gone"
rm -- "$dir"/gone/uringfs/*/liburingfs_module.so
refused "$dir/gone" "the module is missing" "No such file"
rmdir -- "$dir"/gone/uringfs/*
refused "$dir/gone" "there is no module at all" "No such file"
cp -r -- "${preload%/*}/uringfs" "$preload" "$dir/gone/"
for module in "$dir"/gone/uringfs/*/liburingfs_module.so; do
  truncate -s 100000 "$module"
done
refused "$dir/gone" "the copy broke off" "cut short"

# Alone, the module is not asked what the default is.
module=$(echo "${preload%/*}"/uringfs/*/liburingfs_module.so)
! URINGFS_DEFAULT=1 LD_PRELOAD="$folder/libprivate_rocksdb.so $module" \
  cat /dev/null >"$dir/out" 2>"$dir/err" || fail "it ran"
said 'takes liburingfs.so'

# A RocksDB that never calls what replaces its functions.
run 1 "$folder/linked" "$dir/db"
used
rocksdb=$(ldd "$folder/linked" | awk '$1 ~ /^librocksdb/ { print $3 }')
if [ -n "$rocksdb" ] && mkdir -- "$dir/symbolic" &&
  python3 "${BASH_SOURCE[0]%/*}/symbolic.py" "$rocksdb" \
    "$dir/symbolic/$(basename -- "$rocksdb")"; then
  rm -rf -- "$dir/db"
  ! URINGFS_DEFAULT=1 LD_PRELOAD=$preload LD_LIBRARY_PATH=$dir/symbolic \
    "$folder/linked" "$dir/db" >"$dir/out" 2>"$dir/err" || fail "it ran"
  said 'nothing is opened.*-Bsymbolic'
  [ ! -e "$dir/db/CURRENT" ] || fail "a database was made"
  LD_PRELOAD=$preload LD_LIBRARY_PATH=$dir/symbolic \
    "$folder/linked" "$dir/db" >"$dir/out" 2>"$dir/err" ||
    fail "a program that did not ask"
else
  echo "note: no librocksdb to change here; -Bsymbolic was not tried"
fi

LD_PRELOAD=$dir/broken/liburingfs.so "$folder/opener" "$dir/db" \
  "$folder/libprivate_rocksdb.so" >"$dir/out" 2>"$dir/err" ||
  fail "a program that did not ask"
echo PASSED
