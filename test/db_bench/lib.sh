# Shared by the scripts here: stock RocksDB tools, with and without the preload.
#
# Usage of each: SCRIPT PATH/liburingfs.so [NUMBER_OF_KEYS [PATH/uringfs]]
# Exit codes: 0 passed, 1 failed, 77 skipped (the reason is printed).

set -euo pipefail

module=${1:?path of liburingfs.so}
keys=${2:-20000}
tool=${3:-}

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }

for program in db_bench ldb sst_dump; do
  command -v "$program" > /dev/null ||
    skip "$program is not installed (package rocksdb-tools)"
done

root=$(mktemp -d "${URINGFS_TEST_DIR:-$PWD}/uringfs_test.XXXXXX")
cleanup=("rm -rf '$root'")
at_exit() { for step in "${cleanup[@]}"; do eval "$step" || true; done; }
trap at_exit EXIT

# bench posix|uringfs DIRECTORY BENCHMARKS [FLAG...]; output in $root/out.
bench() {
  local fs=$1 db=$2 what=$3
  shift 3
  local command=(db_bench "--db=$db" "--benchmarks=$what" "--num=$keys"
                 --seed=1 "$@")
  if [ "$fs" = uringfs ]; then
    command=(env "LD_PRELOAD=$module"
             "URINGFS_OPTIONS=stats_file=$root/stats${OPTIONS:+;$OPTIONS}"
             "${command[@]}" --fs_uri=uringfs://)
  fi
  rm -f "$root/stats"
  "${WRAP[@]}" "${command[@]}" > "$root/out" 2>&1 ||
    { cat "$root/out" >&2; fail "$fs: $what in $db"; }
}
WRAP=()

# The value of key $1 in the statistics of the last uringfs run.
stat_of() { tr ' ' '\n' < "$root/stats" | sed -n "s/^$1=//p" | head -n 1; }

# content posix|uringfs DIRECTORY: a checksum over all keys and values. Fails
# for an empty database. Call it in an assignment, so that a failure ends all.
content() {
  local preload=() uri=()
  if [ "$1" = uringfs ]; then
    preload=(env "LD_PRELOAD=$module") uri=(--fs_uri=uringfs://)
  fi
  "${preload[@]}" ldb "${uri[@]}" "--db=$2" scan --hex > "$root/scan" \
    2> "$root/err" || { cat "$root/err" >&2; fail "$1: scan of $2"; }
  [ -s "$root/scan" ] || fail "$1: nothing in $2"
  sha256sum < "$root/scan"
}

# same_content DIRECTORY: both file systems read the same; the checksum is left
# in $sum.
same_content() {
  local other
  sum=$(content posix "$1")
  other=$(content uringfs "$1")
  [ "$sum" = "$other" ] || fail "posix and uringfs read $1 differently"
}

# Everything that can be checked of a database with plain RocksDB.
check_on_posix() {
  local db=$1 sst found
  ldb "--db=$db" checkconsistency > "$root/out" 2>&1 ||
    { cat "$root/out" >&2; fail "checkconsistency of $db"; }
  grep -q OK "$root/out" || fail "checkconsistency of $db did not say OK"
  found=$(find "$db" -name '*.sst' | wc -l)
  [ "$found" -gt 0 ] || fail "$db has no table"
  for sst in "$db"/*.sst; do
    sst_dump --command=verify "--file=$sst" > "$root/out" 2>&1 ||
      { cat "$root/out" >&2; fail "sst_dump of $sst"; }
    ! grep -qiE 'corrupt|not ok|error' "$root/out" ||
      { cat "$root/out" >&2; fail "sst_dump of $sst"; }
  done
}

# expect EXIT_CODE ARGUMENT...: of the tool; output of both streams in $root/said.
expect() {
  local want=$1 got=0
  shift
  "$tool" "$@" > "$root/said" 2>&1 || got=$?
  [ "$got" = "$want" ] || {
    cat "$root/said" >&2
    fail "uringfs $* ended with $got, not $want"
  }
}
says() { grep -q -- "$1" "$root/said" || { cat "$root/said" >&2; fail "no '$1'"; }; }
