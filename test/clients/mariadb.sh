#!/usr/bin/env bash
# MariaDB with MyRocks, whose RocksDB of its own is older than what uringfs is
# made for: it says so, and runs as without it; also when it was killed.
. "$(dirname "$0")/lib.sh"
needs mariadbd mariadb-server
needs mariadb mariadb-client
plugin=$(find /usr/lib -name ha_rocksdb.so 2>/dev/null | head -n 1)
[ -n "$plugin" ] || skip "there is no ha_rocksdb.so (package mariadb-plugin-rocksdb)"

socket=$root/s
user=$(id -un)
mariadb-install-db --no-defaults "--datadir=$root/data" "--user=$user" \
  --auth-root-authentication-method=normal >"$root/install.log" 2>&1 ||
  fail "mariadb-install-db"
sql() { mariadb --no-defaults -uroot "--socket=$socket" -N -e "$1" 2>>"$root/sql.log"; }
begin() {
  start "$1" "$1" mariadbd --no-defaults "--user=$user" "--datadir=$root/data" \
    "--socket=$socket" --skip-networking "--plugin-dir=$(dirname "$plugin")" \
    --plugin-load-add=ha_rocksdb.so --rocksdb_flush_log_at_trx_commit=1
  wait_for sql "SELECT 1"
}

begin uringfs
sql "CREATE DATABASE d; CREATE TABLE d.t (k INT PRIMARY KEY, v INT) ENGINE=ROCKSDB;
     INSERT INTO d.t VALUES $(seq -s, -f '(%g, 1)' 1000)" || fail "insert"
put=$(sql "SELECT COUNT(*) FROM d.t")
killed "$child"
not_served uringfs
begin posix
[ "$(sql "SELECT COUNT(*) FROM d.t")" = "$put" ] || fail "not all of $put rows"
killed "$child"
echo "PASSED: $put rows; $(grep '^uringfs: ' "$root/uringfs.log")"
