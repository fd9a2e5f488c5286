#!/usr/bin/env bash
# Node modules with a RocksDB of their own, from npm, in $URINGFS_NODE_MODULES:
# they run as without uringfs, which says why in one line.
. "$(dirname "$0")/lib.sh"
needs node nodejs
modules=${URINGFS_NODE_MODULES:-}
[ -n "$modules" ] ||
  skip 'URINGFS_NODE_MODULES names no folder with what "npm install rocksdb rocksdb-native" has put there'

cat >"$root/rocksdb.js" <<'END'
const db = require(process.argv[3])(process.argv[2]);
const count = 1000;
const check = (error) => { if (error) { console.error(error); process.exit(1); } };
db.open({}, (error) => {
  check(error);
  const puts = [...Array(count).keys()].map((i) => ({type: 'put', key: `k${i}`, value: 'v'}));
  db.batch(puts, (error) => {
    check(error);
    const it = db.iterator({});
    let found = 0;
    const next = () => it.next((error, key) => {
      check(error);
      if (key !== undefined) { ++found; return next(); }
      console.log(`found=${found}`);
      process.kill(process.pid, 'SIGKILL');
    });
    next();
  });
});
END
cat >"$root/rocksdb-native.js" <<'END'
const RocksDB = require(process.argv[3]);
(async () => {
  const db = new RocksDB(process.argv[2]);
  await db.ready();
  const batch = db.write();
  for (let i = 0; i < 1000; ++i) batch.put(`k${i}`, 'v');
  await batch.flush();
  let found = 0;
  for await (const entry of db.iterator({gte: 'k', lt: 'l'})) ++found;
  console.log(`found=${found}`);
  process.kill(process.pid, 'SIGKILL');
})();
END
ran=()
for name in rocksdb rocksdb-native; do
  [ -d "$modules/$name" ] || { echo "not there: $modules/$name"; continue; }
  # The second run finds what the first was killed over.
  for run in 1 2; do
    start "$name.$run" uringfs node "$root/$name.js" "$root/$name.db" "$modules/$name"
    code=0
    wait "$child" || code=$?
    [ "$code" = 137 ] || fail "$name ended with $code"
    grep -q '^found=1000$' "$root/$name.$run.log" || fail "$name does not find all"
    not_served "$name.$run"
  done
  ran+=("$name")
done
[ ${#ran[@]} -gt 0 ] || skip "$modules has none of them"
echo "PASSED: ${ran[*]}"
