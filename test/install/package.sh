#!/usr/bin/env bash
# package.sh SOURCE_DIR CMAKE GENERATOR CXX: makes the Debian packages, installs
# them into a root of their own, uses what is there, and removes them again.
set -euo pipefail

source=$1 cmake=$2 generator=$3 cxx=$4
export URINGFS_TEST_DIR=${URINGFS_TEST_DIR:-$PWD}
work=$(mktemp -d "$URINGFS_TEST_DIR/uringfs_test.XXXXXX")
trap 'rm -rf -- "$work"' EXIT

for program in dpkg-deb dpkg-shlibdeps file help2man db_bench; do
  command -v "$program" >/dev/null || {
    echo "skipped: $program is not installed"
    exit 77
  }
done
fail() { echo "FAILED: $*" >&2; exit 1; }
# quietly COMMAND...: its output only if it fails.
quietly() { "$@" >"$work/log" 2>&1 || { cat -- "$work/log" >&2; fail "$*"; }; }

echo "== packages"
quietly "$cmake" -S "$source" -B "$work/build" -G "$generator" \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_INSTALL_PREFIX=/usr -DURINGFS_BUILD_TESTS=OFF
quietly "$cmake" --build "$work/build"
(cd -- "$work/build" && quietly cpack)
packages=("$work"/build/uringfs_*.deb "$work"/build/liburingfs-dev_*.deb)
dpkg-deb --field "${packages[0]}" Depends | grep -q liburing2 ||
  fail "no dependencies"
dpkg-deb --field "${packages[0]}" Recommends | grep -q 'librocksdb[0-9]' ||
  fail "no RocksDB is recommended"

echo "== installed"
system=$work/system
mkdir -p "$system"/var/lib/dpkg/{updates,info,triggers}
: >"$system/var/lib/dpkg/status"
in_root() {
  quietly env PATH="$PATH:/usr/sbin:/sbin" dpkg --root="$system" --force-depends \
    --force-not-root --force-script-chrootless "$@"
}
in_root --install "${packages[@]}"
tool=$system/usr/bin/uringfs
preload=$(find "$system/usr/lib" -name liburingfs.so)
"$tool" --version | grep -q '^uringfs [0-9]'
gzip -dc "$system/usr/share/man/man1/uringfs.1.gz" | grep -q '^.SH SYNOPSIS' ||
  fail "no manual"
"$tool" doctor db_bench >"$work/said"
grep -q "could be" "$work/said" && grep -q "LD_PRELOAD=$preload" "$work/said" || {
  cat -- "$work/said" >&2
  fail "the tool does not find what was installed beside it"
}

echo "== db_bench"
LD_PRELOAD=$preload quietly db_bench --fs_uri=uringfs:// "--db=$work/db" \
  --benchmarks=fillrandom,readrandom --num=1000
grep -q ' uringfs [0-9.]*: ' "$work/db/LOG" || fail "it did not go through uringfs"
[ "$("$tool" inspect "$work/db")" = "no side files: nothing is left to recover" ]

echo "== a consumer"
sysroot_flags=$(PKG_CONFIG_PATH=$(dirname "$(find "$system/usr" -name uringfs.pc)") \
  pkg-config --define-variable=prefix="$system/usr" --static --cflags --libs uringfs)
read -r -a flags <<<"$sysroot_flags"
"$cxx" -std=c++17 "$source/test/install/consumer/main.cc" -o "$work/consumer" \
  "${flags[@]}"
"$work/consumer" "$work/by_package.bin"

echo "== removed"
in_root --purge uringfs liburingfs-dev
left=$(find "$system" -path "$system/var/lib/dpkg" -prune -o -type f -print)
[ -z "$left" ] || fail "left behind: $left"
echo "PASSED: ${packages[*]##*/}"
