#!/usr/bin/env bash
# `uringfs doctor` on programs that have a RocksDB, or none, and on processes
# with and without uringfs. Fourth argument: a C++ compiler.

. "$(dirname "$0")/lib.sh"
cxx=${4:?a C++ compiler}

# says_not TEXT
says_not() {
  ! grep -q -- "$1" "$root/said" || { cat "$root/said" >&2; fail "'$1'"; }
}
# make NAME FLAG...: a program of what is on stdin.
make() { "$cxx" -x c++ - -o "$root/$1" "${@:2}"; }

# ---- programs and objects

expect 0 doctor db_bench
says 'rocksdb *[0-9]*\.[0-9]*\.[0-9]*, shared: .*/librocksdb\.so'
says 'not loaded, and could be'
says "LD_PRELOAD=$module"
expect 0 doctor --json db_bench "$(command -v ldb)"
python3 - "$root/said" << 'END'
import json, sys
found = json.load(open(sys.argv[1]))
programs = [entry for entry in found if entry["kind"] == "program"]
assert len(programs) == 2, found
assert all(entry["can_be_loaded"] for entry in programs), found
assert all(entry["is_exported"] for entry in found
           if entry["kind"] == "rocksdb"), found
END

expect 0 doctor /bin/true
says 'no RocksDB in it'

# A RocksDB inside a program, which keeps it to itself. The name of a ticker is
# in every release.
inside='#include <cstdio>
const char* volatile ticker = "rocksdb.block.cache.miss";
const char* volatile tag = "rocksdb_build_git_tag:v9.7.4";'
make hidden << END
$inside
int main() { std::puts(ticker); std::puts(tag); }
END
expect 0 doctor "$root/hidden"
says 'rocksdb *9.7.4, linked into'
says 'cannot be loaded: .* not exported'
says_not advice

# The same, exported, of a release for which there is no module, with the switch
# that lets RocksDB use io_uring by itself.
make exported -rdynamic << END
$inside
namespace rocksdb { struct FileSystem { static void Default(); }; }
void rocksdb::FileSystem::Default() {}
extern "C" bool RocksDbIOUringEnable() { return true; }
int main() { std::puts(ticker); std::puts(tag); }
END
expect 0 doctor "$root/exported"
says 'linked into and exported by'
says 'no module for RocksDB 9.7 is installed'
says 'has the switch for it'

make static -static << 'END'
int main() {}
END
expect 0 doctor "$root/static"
says 'linked statically'

# ---- what is none

printf '#!/usr/bin/env python3\n' > "$root/script"
: > "$root/empty"
head -c 100000 /dev/urandom > "$root/random"
expect 4 doctor "$root/script" "$root/empty" "$root/random" "$root" nowhere \
  /nowhere/nothing 999999999
for part in 'a script; .*python3' 'empty: no program' 'random: no program' \
  'Is a directory' 'in PATH' 'No such file' 'process 999999999: No such process'
do
  says "$part"
done
expect 1 doctor
expect 1 doctor ''
expect 1 doctor --accept db_bench

# Damaged programs end in an answer, whatever it is.
bytes=$(stat -c %s "$root/exported")
for seed in $(seq 60); do
  cp "$root/exported" "$root/damaged"
  RANDOM=$seed
  for _ in 1 2 3 4 5 6 7 8; do
    # The headers are in front, the sections' at the end.
    at=$((RANDOM % 2 ? RANDOM % 1024 : bytes - 1 - RANDOM % 2048))
    printf "\\x$(printf %02x $((RANDOM % 256)))" |
      dd of="$root/damaged" bs=1 seek="$at" conv=notrunc status=none
  done
  truncate -s "$((seed % 3 ? bytes : RANDOM % bytes))" "$root/damaged"
  code=0
  "$tool" doctor "$root/damaged" > "$root/said" 2>&1 || code=$?
  [ "$code" = 0 ] || [ "$code" = 4 ] ||
    { cat "$root/said"; fail "damaged by $seed: ended with $code"; }
done

# ---- processes

# run NAME [VARIABLE=VALUE...]: a writer; its number in $writer.
run() {
  env "${@:2}" db_bench "--db=$root/$1" --benchmarks=fillseq --num=100000000 \
    --benchmark_write_rate_limit=1000000 > /dev/null 2>&1 &
  writer=$!
  cleanup=("kill -9 $writer 2> /dev/null; wait $writer" "${cleanup[@]}")
}
# wait_for TEXT: until the doctor says so of $writer.
wait_for() {
  for _ in $(seq 200); do
    "$tool" doctor "$writer" > "$root/said" 2>&1 || true
    grep -q -- "$1" "$root/said" && return
    sleep 0.05
  done
  says "$1"
}

run without
wait_for "database *$root/without"
says 'goes *by RocksDB'
wait_for 'WAL written, through the page cache'
says 'advice *start it with LD_PRELOAD='

run with "LD_PRELOAD=$module" URINGFS_DEFAULT=1
wait_for 'goes *through uringfs'
says 'uringfs *loaded, .*/liburingfs_module.so'
says_not advice
if grep -q 'shared ring' "$root/said"; then
  wait_for '1 WAL written, with a side file'
fi
# Who cannot have the database renames its LOG all the same.
ldb "--db=$root/with" put a b > /dev/null 2>&1 && fail "a second owner"
expect 0 doctor "$writer"
says 'goes *through uringfs'

run asked_not "LD_PRELOAD=$module"
wait_for "database *$root/asked_not"
says 'advice *set URINGFS_DEFAULT=1'

echo "PASSED: programs, objects and processes"
