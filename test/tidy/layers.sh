#!/usr/bin/env bash
# layers.sh ROOT: who may include what. A room sees itself and the rooms to its
# right: log -> ring, device, side -> base -> include/uringfs; recovery -> side;
# rocksdb_wal -> base; read -> device. The plugin sees the public headers and
# RocksDB's; nothing else sees RocksDB but the programs of
# db_bench_ext. The judge there sees neither: it runs programs.
set -euo pipefail
cd -- "$1"

find include src plugin db_bench_ext test -type f \( -name '*.h' -o -name '*.cc' \) 2>/dev/null |
  LC_ALL=C sort | xargs awk '
  # The room of a file or of an included path; "" if it is none of ours.
  function room(path) {
    if (path ~ /^(include\/)?uringfs\//) return "public"
    if (path ~ /^src\/[a-z_]+\//) { split(path, part, "/"); return part[2] }
    if (path ~ /^plugin\//) return "plugin"
    if (path ~ /^db_bench_ext\/judge\//) return "judge"
    if (path ~ /^db_bench_ext\//) return "bench"
    if (path ~ /^test\/db_bench\//) return "judge_test"
    if (path ~ /^test\/plugin\//) return "test plugin"
    if (path ~ /^test\/(install|situations)\//) return "consumer"
    if (path ~ /^test\/power_cut\//) return "power cut"
    if (path ~ /^test\//) return "test"
    return ""
  }
  BEGIN {
    sees["public"] = "public"
    sees["base"] = "public base"
    sees["ring"] = "public base ring"
    sees["device"] = "public base device liburing"
    sees["read"] = "public base device read"
    sees["rocksdb_wal"] = "public base rocksdb_wal"
    sees["side"] = "public base side"
    sees["recovery"] = "public base side recovery"
    sees["log"] = "public base ring device side log"
    sees["tool"] = "public tool kit"
    sees["plugin"] = "public plugin rocksdb"
    sees["judge"] = "judge liburing kit"
    sees["judge_test"] = "judge judge_test test liburing kit"
    sees["bench"] = "public base ring device side log plugin rocksdb bench judge kit"
    sees["consumer"] = "public rocksdb"
    sees["power cut"] = "rocksdb test kit power cut"
    sees["test"] = "public base ring device read rocksdb_wal side recovery log liburing test kit"
    sees["test plugin"] = "public base plugin rocksdb test kit"
  }
  function complain(message) {
    printf "%s:%d: %s\n", FILENAME, FNR, message
    bad = 1
  }
  FNR == 1 {
    from = room(FILENAME)
    if (!(from in sees)) complain("a folder that is no room; name it in layers.sh")
  }
  /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    quoted = $0 ~ /include[ \t]*"/
    path = $0
    sub(/^[^<"]*[<"]/, "", path)
    sub(/[>"].*$/, "", path)
    if (path ~ /\.\./) complain("include by full path, not \"" path "\"")

    to = room(path)
    if (path ~ /^rocksdb\//) to = "rocksdb"
    if (path ~ /^(liburing|linux\/io_uring)/) to = "liburing"
    if (path ~ /^(gtest|gmock|gflags|benchmark)\//) to = "kit"
    if (to == "power cut" && from == "power cut") to = "test"
    if (to == "test plugin" && from == "test plugin") to = "test"
    if (to == "") {
      if (!quoted) {
        # The public headers are plain C++: no system headers either.
        if (from == "public" && path !~ /^[a-z_]+$/)
          complain("public headers see the standard library, not <" path ">")
        next
      }
      # RocksDB builds the plugin folder by itself: there, and nowhere else,
      # names without a folder.
      if (path !~ /\// && (from == "plugin" || from == "test plugin")) next
      complain("include by full path, not \"" path "\"")
      next
    }
    if (index(" " sees[from] " ", " " to " ") == 0)
      complain(from " must not see " to ": " path)
  }
  END { exit bad }'
