#!/usr/bin/env bash
# The judge as its users meet it: a short comparison, what it answers to bad
# input, and that nothing is left behind, also when it is interrupted.
#
# judge.sh JUDGE MODULE BROKEN_MODULE
set -euo pipefail
judge=${1:?path of judge}
module=${2:?path of liburingfs.so}
broken=${3:?path of a module whose syncs do nothing}

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
expect 2 "illegal value" --rounds=-1
expect 2 "three rounds or more" --preset=smoke --fail-below=0.9
expect 2 "nothing to compare" --workloads=fill --candidates=posix,uringfs-direct
expect 2 "cannot write in" --preset=smoke --out=/proc/there
expect 2 "which is not there" --workloads=small_files --programs="$root/none"
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
grep -q '^ *posix again .* no difference' "$root/said" || fail "no verdict"
if grep '^ *posix again ' "$root/said" | grep -v ' no difference'; then
  fail "posix differs from itself"
fi
"$judge" --compare "$root/out/report.json" "$root/out/report.json" \
  --fail-below=0.99 >"$root/said" || fail "a report differs from itself"
grep -q 'no difference' "$root/said" || fail "no verdict of the comparison"

echo "-- two reports"
# with_speed RATIO: the report, with a uringfs of that speed.
with_speed() {
  python3 - "$root/out/report.json" "$1" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
report["candidates"][1]["name"] = "uringfs"
for workload in report["workloads"]:
    base, ours = workload["results"]
    ours["candidate"] = "uringfs"
    for one, other in zip(base["rounds"], ours["rounds"]):
        other["ops_per_second"] = one["ops_per_second"] * float(sys.argv[2])
json.dump(report, sys.stdout)
END
}
with_speed 1.5 >"$root/old.json"
with_speed 0.75 >"$root/new.json"
compare() { "$judge" --compare "$@" >"$root/said" 2>&1; }
compare "$root/old.json" "$root/new.json" || fail "without --fail-below"
grep -q SLOWER "$root/said" || fail "half the speed is not slower"
compare "$root/old.json" "$root/new.json" --fail-below=0.4 || fail "0.5 is not"
code=0
compare "$root/old.json" "$root/new.json" --fail-below=0.6 || code=$?
[ $code = 1 ] || fail "half the speed is not below 0.6: $code"
compare "$root/new.json" "$root/old.json" --fail-below=0.9 || fail "faster"
sed 's/"complete": true/"complete": false/' "$root/old.json" >"$root/part.json"
code=0
compare "$root/old.json" "$root/part.json" || code=$?
[ $code = 1 ] || fail "an incomplete report passes: $code"

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

# begin_long: a run of minutes in the background, $child, and under way.
begin_long() {
  "$judge" --module="$module" --db="$root/db" --out="$root/part" \
    --preset=quick --workloads=sync_1x100 --rounds=50 >"$root/said" 2>&1 &
  child=$!
  for _ in $(seq 600); do
    if compgen -G "$root/db/*/db0" >/dev/null; then break; fi
    sleep 0.05
  done
}

echo "-- interrupted"
begin_long
kill -INT "$child"
code=0
wait "$child" || code=$?
[ "$code" = 130 ] || { cat "$root/said" >&2; fail "ended with $code"; }
grep -q '"complete": false' "$root/part/report.json" ||
  fail "what was measured is not marked as a part"
[ -z "$(ls -A "$root/db")" ] || fail "it left $(ls -A "$root/db")"

echo "-- killed"
begin_long
kill -KILL "$child"
wait "$child" 2>/dev/null || true
# In a file: or grep would find itself.
printf '%s' "--db=$root/db/" >"$root/pattern"
lives() { grep -qsF -f "$root/pattern" /proc/[0-9]*/cmdline; }
for _ in $(seq 100); do
  lives || break
  sleep 0.05
done
! lives || fail "db_bench outlives the judge"
echo PASSED
