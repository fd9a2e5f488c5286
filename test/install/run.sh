#!/usr/bin/env bash
# run.sh BUILD_DIR CMAKE GENERATOR CXX: installs BUILD_DIR into a fresh prefix,
# moves the prefix, then builds and runs the consumer by CMake and by
# pkg-config.
set -euo pipefail

build=$1 cmake=$2 generator=$3 cxx=$4
consumer=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/consumer" && pwd)
export URINGFS_TEST_DIR=${URINGFS_TEST_DIR:-$build}
work=$(mktemp -d "$URINGFS_TEST_DIR/uringfs_test.XXXXXX")
trap 'rm -rf -- "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log"
# A package may be staged in one place and used in another.
mv -- "$work/first" "$work/prefix"
prefix=$work/prefix

# configure NAME ARGUMENT...: the consumer, in $work/NAME.
configure() {
  "$cmake" -S "$consumer" -B "$work/$1" -G "$generator" \
    -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_PREFIX_PATH="$prefix" "${@:2}"
}

echo "== CMake, the core alone"
configure core
"$cmake" --build "$work/core"
"$work/core/consumer" "$work/by_cmake.bin"

echo "== CMake, a version that is not compatible is refused"
if configure refused -DCONSUMER_VERSION=0.99 >"$work/log" 2>&1; then
  echo "version 0.99 was accepted" >&2
  exit 1
fi
grep -q 'compatible with requested version' "$work/log" || {
  cat -- "$work/log" >&2
  exit 1
}

echo "== pkg-config"
config=$(find "$prefix" -name uringfs.pc)
export PKG_CONFIG_PATH=${config%/*}${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
read -r -a flags <<<"$(pkg-config --static --cflags --libs uringfs)"
"$cxx" -std=c++17 -Wall -Wextra -Werror "$consumer/main.cc" \
  -o "$work/by_pkg_config" "${flags[@]}"
"$work/by_pkg_config" "$work/by_pkg_config.bin"

if find "$prefix" -name uringfsRocksdbTargets.cmake | grep -q .; then
  echo "== CMake, with the RocksDB plugin"
  configure rocksdb -DCONSUMER_ROCKSDB=ON
  "$cmake" --build "$work/rocksdb"
  "$work/rocksdb/rocksdb_consumer" "$work/db"
fi
