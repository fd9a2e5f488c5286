#!/usr/bin/env bash
# limits.sh ROOT: length of files and lines, words and addresses that must not
# be in any text of ours. Function length is clang-tidy's.
set -euo pipefail
cd -- "$1"

# The folders of this project, and the files beside them. What tidy itself
# spells out, and the license, are left out.
find . \( -path ./.git -o -path './build*' -o -path ./.cache \
  -o -path ./test/tidy \) -prune -o \
  -type f ! -name LICENSE ! -name 'compile_commands.json' ! -path '*/uringfs_test.*' -print |
  sed 's|^\./||' | LC_ALL=C sort | xargs awk '
  function complain(message) {
    printf "%s:%d: %s\n", FILENAME, FNR, message
    bad = 1
  }
  function close_file() {
    if (name != "" && name !~ /\.md$/ && lines > 600) {
      printf "%s: %d lines; 600 are allowed\n", name, lines
      bad = 1
    }
  }
  BEGIN {
    # Hosts that text may point to. Where packages come from is not for us to
    # say: the system of the user knows.
    split("github.com www.apache.org rocksdb.org www.kernel.org " \
          "git.kernel.dk kernel.dk man7.org lwn.net keepachangelog.com " \
          "127.0.0.1", list)
    for (i in list) allowed[list[i]] = 1
  }
  FNR == 1 {
    close_file()
    name = FILENAME
    code = name ~ /\.(h|cc)$/
    ours = name ~ /^(include|src|plugin)\//
  }
  { lines = FNR }
  code && length($0) > 80 { complain("longer than 80 columns") }
  code && /\t/ { complain("tab") }
  /[ \t]+$/ && name !~ /\.md$/ { complain("blanks at the end of the line") }
  /TODO/ && !/TODO\(#[0-9]+\)/ { complain("TODO without an issue: TODO(#123)") }
  /FIXME|XXX[^X]|HACK|[Kk]ludge/ && !/XXXXXX/ {
    complain("say what is wrong and why, or mend it: FIXME, XXX, HACK, kludge")
  }
  /[Bb]lacklist|[Ww]hitelist/ { complain("say what is allowed or refused") }
  code && /DISABLED_[A-Za-z]/ {
    complain("a test that is switched off: mend it or delete it")
  }
  ours && code && /(^|[^a-z_])volatile[^a-z_]/ && !/(asm|__asm__) volatile/ {
    complain("volatile orders nothing between threads: use an atomic")
  }
  ours && code && /atomic_thread_fence/ {
    complain("ThreadSanitizer does not model fences: use a named access")
  }
  /(^|[^A-Za-z0-9_.])\/(home|root|Users)\/[A-Za-z]/ {
    complain("a path of one machine")
  }
  {
    rest = $0
    while (match(rest, /(https?|ftp|git|ssh):\/\/[A-Za-z0-9.@-]+/)) {
      host = substr(rest, RSTART, RLENGTH)
      rest = substr(rest, RSTART + RLENGTH)
      sub(/^[a-z]+:\/\//, "", host)
      if (!(host in allowed)) complain("a host that limits.sh does not list: " host)
    }
  }
  END { close_file(); exit bad }'
