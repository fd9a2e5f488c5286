# Sourced by `run`: RocksDB's source and the builds. All below $tree, which is
# named by the version and by what the build depends on.
# shellcheck shell=bash

# Debug has assertions and sync points. Without debug information: it would be
# ten times as large.
rocksdb_options=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O1
  -DFAIL_ON_WARNINGS=OFF -DPORTABLE=ON -DUSE_RTTI=ON -DWITH_LZ4=ON
  -DWITH_SNAPPY=ON -DWITH_ZLIB=ON -DROCKSDB_PLUGINS=uringfs)

# version_of TREE: "7.8.3".
version_of() {
  awk '/#define ROCKSDB_(MAJOR|MINOR|PATCH) / { text = text dot $3; dot = "." }
    END { print text }' "$1/include/rocksdb/version.h"
}

# get_source: a copy of RocksDB's source of $version in $tree/rocksdb, with our
# changes.
get_source() {
  local origin key
  if [ -n "$source_tree" ]; then
    [ -f "$source_tree/include/rocksdb/version.h" ] ||
      die "--source=$source_tree is not a source tree of RocksDB"
    version=$(version_of "$source_tree")
    origin=$source_tree
  else
    version=$(dpkg-query -W -f '${source:Version}' librocksdb-dev)
    origin=debian
  fi
  key=$({ declare -f prepare_source; echo "$origin" "${rocksdb_options[@]}"
    c++ --version; } | sha256sum | cut -c 1-10)
  tree=$cache/rocksdb-$version-$key
  if [ -f "$tree/source_is_there" ]; then
    put_plugin_in
    return
  fi
  say "getting the source of RocksDB $version into $tree"
  rm -rf -- "$tree"
  mkdir -p -- "$tree"
  if [ "$origin" = debian ]; then
    get_debian_source "$version"
  else
    mkdir -- "$tree/rocksdb"
    tar -C "$source_tree" --exclude=./.git --exclude='./build*' -cf - . |
      tar -C "$tree/rocksdb" -xf -
  fi
  prepare_source "$tree/rocksdb"
  put_plugin_in
  touch -- "$tree/source_is_there"
}

# Debian's source package of the version, from where this machine gets its
# packages from.
get_debian_source() {
  local lists=$tree/apt file
  mkdir -p -- "$lists/lists/partial" "$lists/parts"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ -f "$file" ] || continue
    case $file in
      *.list) sed -n 's/^deb\(-src\)\? /deb-src /p' "$file" \
        >"$lists/parts/${file##*/}" ;;
      *.sources) sed 's/^Types:.*/Types: deb-src/' "$file" \
        >"$lists/parts/${file##*/}" ;;
    esac
  done
  local apt=(apt-get -q -o Dir::Etc::SourceList=/dev/null
    -o "Dir::Etc::SourceParts=$lists/parts" -o "Dir::State::Lists=$lists/lists"
    -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
    -o APT::Sandbox::User=)
  # One list of many may fail and ours be there.
  "${apt[@]}" update >"$lists/log" 2>&1 || true
  (cd -- "$tree" && "${apt[@]}" source --download-only "rocksdb=$1") \
    >>"$lists/log" 2>&1 ||
    { tail -5 "$lists/log" >&2
      die "apt-get cannot get the source of rocksdb $1; give it by --source"; }
  dpkg-source --no-check -x "$tree"/rocksdb_*.dsc "$tree/rocksdb" \
    >>"$lists/log" 2>&1 ||
    { tail -5 "$lists/log" >&2; die "cannot unpack the source package"; }
}

# put_plugin_in: this checkout's. What another one has left goes: its files may
# be older or newer than ours, which says nothing about what is in them.
put_plugin_in() {
  local link=$tree/rocksdb/plugin/uringfs
  if [ "$(readlink -- "$link")" != "$root/plugin" ]; then
    rm -rf -- "$tree/core" "$tree/prefix" "$tree/uringfs"
    if [ -d "$tree/build" ]; then
      find "$tree/build" -path '*/plugin/uringfs/*.o' -delete
    fi
    ln -sfn -- "$root/plugin" "$link"
  fi
}

# prepare_source TREE: a switch in the test harness, which leaves out most
# fsyncs.
prepare_source() {
  local header=$1/db/db_test_util.h
  grep -q '^  bool skip_fsync_ = false;$' "$header" ||
    die "the test harness of this RocksDB skips fsync in another way: $header"
  sed -i 's|^  bool skip_fsync_ = false;$|\
  struct Skips {\
    bool on = false;\
    void operator=(bool skip) { on = skip \&\& !getenv("URINGFS_REAL_FSYNC"); }\
    operator bool() const { return on; }\
  } skip_fsync_;|' "$header"
}

# keep_what_there_is: of targets like a|b those that this release has.
keep_what_there_is() {
  local target name there=()
  for target in "${targets[@]}"; do
    for name in ${target//|/ }; do
      [ "$target" = "$name" ] ||
        [ -n "$(find "$tree/rocksdb" -name "$name.cc" -print -quit)" ] ||
        continue
      there+=("$name")
      break
    done
  done
  targets=("${there[@]}")
}

# configure SOURCE BUILD OPTION...: once; cmake does it anew by itself.
configure() {
  [ -f "$2/build.ninja" ] ||
    cmake -S "$1" -B "$2" -G Ninja "${@:3}" >"$2.log" 2>&1 ||
    { tail -20 "$2.log" >&2; die "cmake failed; see $2.log"; }
}

# build DIRECTORY TARGET...
build() {
  echo "   ${1#"$cache/"}: ${*:2:3}${5:+ ...}"
  ninja -C "$1" -j "$jobs" "${@:2}" >"$1.log" 2>&1 ||
    { grep -A20 -m1 FAILED "$1.log" >&2; die "the build failed; see $1.log"; }
}

# The core, installed; ${targets[@]} of RocksDB with the plugin compiled in; and
# liburingfs.so for that RocksDB, to be preloaded.
build_all() {
  say "building with $jobs jobs"
  configure "$root" "$tree/core" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DURINGFS_BUILD_PLUGIN=OFF -DURINGFS_BUILD_TESTS=OFF
  build "$tree/core" all
  cmake --install "$tree/core" --prefix "$tree/prefix" >"$tree/install.log"
  configure "$tree/rocksdb" "$tree/build" "${rocksdb_options[@]}" \
    "-DCMAKE_PREFIX_PATH=$tree/prefix"
  # shellcheck disable=SC2154
  build "$tree/build" "${targets[@]}"
  configure "$root" "$tree/uringfs" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DURINGFS_BUILD_TESTS=OFF \
    "-Duringfs_rocksdb_include=$tree/rocksdb/include" \
    "-Duringfs_rocksdb_library=$tree/build/librocksdb.so"
  build "$tree/uringfs" uringfs_preload uringfs_tool
}

# RocksDB's other build: its plugins and ours are one line each there.
build_by_make() {
  say "building db_bench by make"
  local log=$tree/make.log
  PKG_CONFIG_PATH=$(dirname -- "$(find "$tree/prefix" -name uringfs.pc)") \
    make -C "$tree/rocksdb" -j "$jobs" ROCKSDB_PLUGINS=uringfs DEBUG_LEVEL=0 \
    PORTABLE=1 DISABLE_WARNING_AS_ERROR=1 \
    OBJ_DIR="$tree/make" db_bench >"$log" 2>&1 ||
    { tail -20 "$log" >&2; die "make failed; see $log"; }
}
