#!/usr/bin/env bash
# db_bench is killed while it puts; ldb and sst_dump read its database while it
# lives and when it is dead.
. "$(dirname "$0")/lib.sh"
for program in db_bench ldb sst_dump; do needs "$program" rocksdb-tools; done

db=$root/db
keys_of() { on "$1" ldb "--db=$db" scan --hex 2>>"$root/ldb.log" | grep -cE '^0x[0-9A-F]+ (:|==>) 0x'; }
has_table() { find "$db" -name '*.sst' | grep -q .; }
has_keys() { [ "$(keys_of uringfs)" -gt 1000 ]; }

start bench uringfs db_bench "--db=$db" --benchmarks=fillseq --num=100000000 \
  --compression_type=none --write_buffer_size=4194304 \
  --benchmark_write_rate_limit=4000000
writer=$child
wait_for has_keys
wait_for has_table
# Whoever reads beside the writer finds what was flushed, tables and log.
on uringfs sst_dump --command=verify "--file=$(find "$db" -name '*.sst' | head -n 1)" \
  >"$root/dump.log" 2>&1 || fail "sst_dump"
kill -STOP "$writer"
before=$(keys_of uringfs)
killed "$writer"
served "$db"
after=$(keys_of uringfs)
[ "$after" -ge "$before" ] || fail "$after keys are left of $before"
"$tool" recover "$db" >"$root/tool.log" 2>&1 || fail "recover"
[ "$(keys_of posix)" = "$after" ] || fail "posix does not read the same"
echo "PASSED: $after keys, $before while it lived"
