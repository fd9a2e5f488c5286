#!/usr/bin/env bash
# The judge as its users meet it: a short comparison, what it answers to bad
# input, and that nothing is left behind, also when it is interrupted.
#
# judge.sh JUDGE MODULE BROKEN_MODULE
set -euo pipefail
judge=${1:?path of judge}
module=${2:?path of liburingfs.so}
broken=${3:?path of a liburingfs.so whose syncs do nothing}

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }
command -v db_bench >/dev/null ||
  skip "db_bench is not installed (package rocksdb-tools)"

root=$(mktemp -d "${URINGFS_TEST_DIR:-$PWD}/uringfs_test.XXXXXX")
trap 'rm -rf "$root"' EXIT
mkdir "$root/db"

# expect CODE WORDS ARGUMENT...: it ends with CODE and says WORDS.
expect() {
  local code=$1 words=$2 got=0
  shift 2
  "$judge" --module="$module" --db="$root/db" --out="$root/out" "$@" \
    >"$root/said" 2>&1 || got=$?
  [ "$got" = "$code" ] && grep -qF -- "$words" "$root/said" || {
    cat "$root/said" >&2
    fail "judge $*: ended with $got, not $code, or did not say '$words'"
  }
  [ -z "$(ls -A "$root/db")" ] || fail "judge $* left $(ls -A "$root/db")"
}

echo "-- bad input"
expect 2 "there is no preset 'fast'; there are smoke quick" --preset=fast
expect 2 "there is no workload 'write'" --workloads=write
expect 2 "there is no candidate 'ext4'; there are posix" --candidates=ext4
expect 2 "a comparison takes two candidates" --candidates=posix
expect 2 "cannot understand 'quick'" quick
expect 2 "--benchmarks=LIST" --preset=smoke -- --sync=1
expect 2 "there is no db_bench that runs" --db_bench="$root/none"
expect 2 "the plugin is not built into it" --module=
expect 2 "is no report" --page="$0"
expect 2 "cannot write in the directory" --db="$0/there"
mkdir "$root/workloads"
printf 'title: huge\nrun: --num=1\nmeasure: fillseq\nspace_mb: 999999999\n' \
  >"$root/workloads/huge.workload"
expect 2 "MiB are free there" --workloads=huge \
  --workload_dir="$root/workloads"
printf 'title: odd\nthreads: 4\n' >"$root/workloads/odd.workload"
expect 2 "odd.workload: line 2: there is no key 'threads'" \
  --workload_dir="$root/workloads"

echo "-- a comparison"
expect 0 "uringfs" --preset=smoke --seed=7
grep -q '"complete": true' "$root/out/report.json" || fail "not complete"
for workload in sync_1x100 unsynced_100 fill; do
  grep -q "\"name\": \"$workload\"" "$root/out/report.json" ||
    fail "$workload is not in the report"
done
"$judge" --page="$root/out/report.json" --out="$root/again" >/dev/null
cmp -s "$root/out/page.html" "$root/again/page.html" ||
  fail "the page of a report is not the page of its run"

echo "-- posix against itself"
expect 0 "posix again" --preset=smoke --rounds=5 --candidates=posix,posix
grep -qE 'no difference|unclear' "$root/said" || fail "no verdict"
if grep -E 'faster|SLOWER' "$root/said"; then
  fail "posix differs from itself"
fi
"$judge" --compare "$root/out/report.json" "$root/out/report.json" \
  --fail-below=0.99 >"$root/said" || fail "a report differs from itself"
grep -q 'no difference' "$root/said" || fail "no verdict of the comparison"

echo "-- flags of the user's"
expect 0 "given" --preset=smoke --benchmarks=fillseq,overwrite --num=1000 \
  -- --value_size=10
grep -q 'value_size=10' "$root/out/report.json" || fail "they got lost"

echo "-- syncs that do nothing"
expect 1 "its syncs are not real" --preset=smoke --workloads=sync_1x100 \
  --module="$broken"
expect 0 "sync" --preset=smoke --workloads=sync_1x100

echo "-- a run that fails"
expect 1 "it failed" --preset=smoke --benchmarks=fillseq,nonsense --num=10

echo "-- interrupted"
"$judge" --module="$module" --db="$root/db" --out="$root/part" \
  --preset=quick --workloads=sync_1x100 --rounds=50 >"$root/said" 2>&1 &
child=$!
for _ in $(seq 600); do
  if compgen -G "$root/db/*/db0" >/dev/null; then break; fi
  sleep 0.05
done
kill -INT "$child"
code=0
wait "$child" || code=$?
[ "$code" = 130 ] || { cat "$root/said" >&2; fail "ended with $code"; }
grep -q '"complete": false' "$root/part/report.json" ||
  fail "what was measured is not marked as a part"
[ -z "$(ls -A "$root/db")" ] || fail "it left $(ls -A "$root/db")"
echo PASSED
