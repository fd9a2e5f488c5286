#!/usr/bin/env bash
# The command-line tool on a database whose writer lives, dies, and is
# recovered for plain posix. Third argument: the tool.

. "$(dirname "$0")/lib.sh"
db=$root/db

expect 1
expect 1 mend "$root"
expect 4 inspect "$root/missing"
says missing
mkdir "$root/empty"
expect 0 inspect "$root/empty"
expect 0 recover "$root/empty"
expect 0 --json inspect "$root/empty"
[ "$(tr -d ' \n' < "$root/said")" = '[]' ] || fail "no empty array"

# A writer that is slow enough to be met alive.
env "LD_PRELOAD=$module" db_bench "--db=$db" --fs_uri=uringfs:// \
  --benchmarks=fillseq --num=100000000 --benchmark_write_rate_limit=1000000 \
  > /dev/null 2>&1 &
writer=$!
cleanup=("kill -9 $writer 2> /dev/null; wait $writer" "${cleanup[@]}")
for _ in $(seq 200); do
  "$tool" inspect "$db" 2> /dev/null | grep -q owned && break
  sleep 0.05
done
"$tool" inspect "$db" | grep -q owned || skip "no shared ring here"
sleep 0.5
expect 3 recover "$db"
says "process $writer"
kill -9 "$writer"
wait "$writer" 2> /dev/null || true

expect 5 inspect "$db"
says 'verdict *whole'
expect 5 --json inspect "$db"
says '"state": "whole"'
side=$(find "$db" -name '*.log.uringfs' | sort | tail -n 1)

# One that cannot be applied stops everybody, until it is mended or chosen.
cp "$side" "$root/side"
log=${side%.uringfs}
cp "$log" "$root/log"
printf 'garbage' > "$side"
for command in inspect recover 'recover --dry-run'; do
  expect 2 $command "$db"
  says 'cannot be applied'
  says 'recover --accept'
  says 'recover --discard'
done
env "LD_PRELOAD=$module" ldb "--db=$db" --fs_uri=uringfs:// scan \
  --max_keys=10 > "$root/said" 2>&1 && fail "ldb opened with less"
says 'recover --discard'
[ "$(cat "$side")" = garbage ] || fail "an unusable side file was changed"
cmp "$log" "$root/log" || fail "its log was changed"
for choice in accept discard; do
  expect 0 recover --dry-run --$choice "$db"
  says 'renames the side file'
  [ "$(cat "$side")" = garbage ] || fail "--dry-run --$choice changed it"
done
expect 1 recover --accept --discard "$db"
expect 1 --discard inspect "$db"
cp -r "$db" "$root/copy"
cp -r "$db" "$root/worse"
cp -r "$db" "$root/garbled"
cp -r "$db" "$root/lost"
expect 0 recover --discard "$root/copy"
says kept
[ "$(cat "$root/copy/"*.kept1)" = garbage ] || fail "no copy was kept"
expect 0 recover --json --discard "$root/garbled"
says '"knows_lost": false'
# Without CURRENT it is a database all the same.
mv "$root/lost/CURRENT" "$root/current"
expect 4 recover --accept "$root/lost"
says 'CURRENT is gone'
mv "$root/current" "$root/lost/CURRENT"
expect 4 recover "$root/lost/CURRENT"
says 'not a directory'
cp "$root/side" "$side"
# The unusable one is told, whatever the others are.
expect 2 inspect "$root/worse" "$db"

# Logs in a directory of their own are not forgotten, nor touched unasked.
mkdir "$root/front"
printf '[DBOptions]\n  wal_dir=%s\n' "$db" > "$root/front/OPTIONS-000123"
printf '  wal_dir=/nowhere\n' > "$root/front/OPTIONS-000009"
expect 5 inspect "$root/front"
says "name $db as the directory of its logs"
expect 5 recover "$root/front"
says "name $db as the directory of its logs"
printf '[DBOptions]\n  wal_dir=%s\n' "$root/w d" > "$root/front/OPTIONS-000123"
cp -r "$db" "$root/w d"
expect 5 recover --discard "$root/front"
says "uringfs recover --discard $root/front '$root/w d'"
printf '[DBOptions]\n  wal_dir=%s\n' "$db" > "$root/front/OPTIONS-000123"
expect 0 recover --dry-run "$root/front" "$db/../${db##*/}"
says "moves"

expect 0 recover "$db"
says recovered
expect 0 inspect "$db"
[ -z "$(find "$db" -name '*.uringfs')" ] || fail "a side file stayed"
ldb "--db=$db" scan --max_keys=10 > "$root/keys" 2>&1 ||
  { cat "$root/keys" >&2; fail "posix cannot read it"; }
[ "$(wc -l < "$root/keys")" = 10 ] || fail "keys are missing"
echo "PASSED: inspected and recovered $side"
