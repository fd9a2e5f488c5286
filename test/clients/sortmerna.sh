#!/usr/bin/env bash
# sortmerna keeps what it has aligned in a RocksDB: the same report either way,
# and after a run that was killed.
. "$(dirname "$0")/lib.sh"
needs sortmerna sortmerna

awk 'BEGIN {
  srand(1); split("A C G T", base, " ")
  for (i = 0; i < 20000; ++i) reference = reference base[int(rand() * 4) + 1]
  print ">reference\n" reference > "'"$root"'/reference.fa"
  for (i = 0; i < 2000; ++i)
    print ">read" i "\n" substr(reference, int(rand() * 19800) + 1, 150) > "'"$root"'/reads.fa"
}'
align=(sortmerna --ref "$root/reference.fa" --reads "$root/reads.fa" --threads 1 --workdir)
for fs in posix uringfs; do
  on "$fs" "${align[@]}" "$root/$fs" >"$root/$fs.log" 2>&1 || fail "$fs"
done
served "$root/uringfs/kvdb"
cmp "$root/posix/out/aligned.blast" "$root/uringfs/out/aligned.blast" ||
  fail "another report"

start killed uringfs "${align[@]}" "$root/killed"
wait_for test -s "$root/killed/kvdb/CURRENT"
killed "$child"
# It takes a directory with a database for done, so that is what is looked at.
if command -v ldb >/dev/null; then
  on uringfs ldb "--db=$root/killed/kvdb" scan >"$root/scan.log" 2>&1 ||
    fail "the database of a killed run does not open"
fi
echo "PASSED: $(wc -l <"$root/uringfs/out/aligned.blast") alignments"
