#!/usr/bin/env bash
# self_test.sh CXX: the checks of this folder accept a clean tree and refuse a
# tree with one planted violation, with the message that names it.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cxx=$1
work=$(mktemp -d "${URINGFS_TEST_DIR:-.}/uringfs_test.XXXXXX")
work=$(cd -- "$work" && pwd)
trap 'rm -rf -- "$work"' EXIT
tree=$work/tree
failures=0

clean_tree() {
  rm -rf -- "$tree"
  mkdir -p "$tree"/{include/uringfs,src/{base,ring,device,log},plugin}
  mkdir -p "$tree"/{db_bench_ext/judge,test/{log,plugin}}
  cd -- "$tree"
  printf '#include <cstdint>\ninline uint32_t One() { return 1; }\n' |
    guarded PUBLIC >include/uringfs/public.h
  printf '#include <sys/types.h>\n#include "uringfs/public.h"\n' >src/base/b.cc
  printf '#include "src/base/b.h"\n' >src/ring/r.cc
  printf '#include <liburing.h>\n#include "src/base/b.h"\n' >src/device/d.cc
  printf '#include "src/ring/r.h"\n#include "src/device/d.h"\n' >src/log/l.cc
  printf '#include <uringfs/public.h>\n#include <rocksdb/env.h>\n#include "p.h"\n' \
    >plugin/p.cc
  printf 'int register_uringfs(int);\n' >plugin/register.cc
  printf '#include "db_bench_ext/judge/j.h"\n' >db_bench_ext/judge/j.cc
  printf '#include "gtest/gtest.h"\n#include "src/log/l.h"\n' >test/log/l_test.cc
  printf '%s\n' 'uringfs_SOURCES = p.cc register.cc' 'uringfs_HEADERS = p.cc' \
    'uringfs_FUNC = register_uringfs' >plugin/uringfs.mk
  printf '| `src/log/l.cc` `L::include` | L::include |\n' >src/README.md
  printf '// L::include\n' >>src/log/l.cc
}
guarded() { printf '#ifndef %s_H_\n#define %s_H_\n' "$1" "$1"; cat; echo '#endif'; }

run() {
  case $1 in
    headers_alone) "$here/headers_alone.sh" "$tree" OFF "$cxx" ;;
    *) "$here/$1.sh" "$tree" ;;
  esac
}

# refuses CHECK MESSAGE FILE LINE: with LINE at the end of FILE.
refuses() {
  clean_tree
  printf '%b\n' "$4" >>"$3"
  if output=$(run "$1" 2>&1); then
    echo "$1 accepted a planted violation in $3: $4"
  elif ! grep -qF -- "$2" <<<"$output"; then
    echo "$1 did not say '$2' but: $output"
  else
    return 0
  fi
  failures=$((failures + 1))
}

for check in layers limits plugin_mk one_byte headers_alone; do
  clean_tree
  if ! output=$(run $check 2>&1); then
    echo "$check refused a clean tree: $output"
    failures=$((failures + 1))
  fi
done

l=layers
refuses $l 'public must not see base' include/uringfs/public.h '#include "src/base/b.h"'
refuses $l 'standard library' include/uringfs/public.h '#include <sys/uio.h>'
refuses $l 'public must not see rocksdb' include/uringfs/public.h '#include <rocksdb/db.h>'
refuses $l 'base must not see ring' src/base/b.cc '#include "src/ring/r.h"'
refuses $l 'base must not see liburing' src/base/b.cc '#include <liburing.h>'
refuses $l 'ring must not see device' src/ring/r.cc '#include "src/device/d.h"'
refuses $l 'ring must not see log' src/ring/r.cc '  #  include "src/log/l.h"'
refuses $l 'device must not see ring' src/device/d.cc '#include "src/ring/r.h"'
refuses $l 'log must not see liburing' src/log/l.cc '#include <liburing.h>'
refuses $l 'log must not see rocksdb' src/log/l.cc '#include "rocksdb/status.h"'
refuses $l 'log must not see plugin' src/log/l.cc '#include "plugin/p.h"'
refuses $l 'full path' src/log/l.cc '#include "l.h"'
refuses $l 'full path' src/log/l.cc '#include "../ring/r.h"'
refuses $l 'full path' plugin/p.cc '#include "util/coding.h"'
refuses $l 'plugin must not see log' plugin/p.cc '#include "src/log/l.h"'
refuses $l 'test must not see rocksdb' test/log/l_test.cc '#include <rocksdb/db.h>'
refuses $l 'judge must not see log' db_bench_ext/judge/j.cc '#include "src/log/l.h"'
refuses $l 'judge must not see rocksdb' db_bench_ext/judge/j.cc '#include <rocksdb/db.h>'
refuses $l 'no room' src/stray.cc '// stray'

l=limits
refuses $l '600 are allowed' src/log/l.cc "$(printf '\\n%.0s' {1..600})"
refuses $l '80 columns' src/log/l.cc "// $(printf 'x%.0s' {1..80})"
refuses $l 'tab' src/log/l.cc '\tint x;'
refuses $l 'blanks at the end' src/log/l.cc 'int x; '
refuses $l 'TODO without' src/log/l.cc '// TODO: later'
refuses $l 'TODO without' README.md 'TODO(someone): later'
refuses $l 'FIXME' src/log/l.cc '// FIXME'
refuses $l 'switched off' test/log/l_test.cc 'TEST(Log, DISABLED_Works) {}'
refuses $l 'volatile' src/log/l.cc 'volatile int x;'
refuses $l 'fences' src/log/l.cc 'std::atomic_thread_fence(x);'
refuses $l 'one machine' README.md "see /home/somebody/x"
refuses $l 'host' README.md 'deb http://packages.example.net/debian stable main'
refuses $l 'allowed or refused' README.md 'a whitelist'

l=plugin_mk
refuses $l 'goes on' plugin/uringfs.mk 'uringfs_LIBS = a \\\\'
refuses $l 'not of the form' plugin/uringfs.mk 'uringfs_LIBS=a'
refuses $l 'not of the form' plugin/uringfs.mk 'uringfs_LIBS += a'
refuses $l 'not of the form' plugin/uringfs.mk 'other_LIBS = a'
refuses $l 'not in plugin/' plugin/uringfs.mk 'uringfs_SOURCES = gone.cc'
refuses $l 'twice' plugin/uringfs.mk 'uringfs_SOURCES = p.cc'
refuses $l 'defines nothing_here' plugin/uringfs.mk 'uringfs_FUNC = nothing_here'

l=one_byte
refuses $l 'no file src/log/gone.cc' src/README.md '| `src/log/gone.cc` `L::include` |'
refuses $l 'has no Gone' src/README.md '| `src/log/l.cc` `L::Gone` |'
refuses $l 'has no M::include' src/README.md '| `src/log/l.cc` `M::include` |'

# Two rooms, an archive each.
archive() {
  printf 'namespace uringfs { %s }\n' "$2" >"$work/$1.cc"
  "$cxx" -c "$work/$1.cc" -o "$work/$1.o"
  rm -f "$work/$1.a"
  ar rc "$work/$1.a" "$work/$1.o"
}
twice() {
  archive core "$1"
  archive plugin "$2"
  ! "$here/symbols.sh" "$work/core.a" "$work/plugin.a" >/dev/null
}
if twice 'int F() { return 1; }' 'int G() { return 1; }' ||
  twice 'inline int F() { return 1; } int A() { return F(); }' \
    'inline int F() { return 1; } int B() { return F(); }'; then
  echo "symbols refused what is defined once"
  failures=$((failures + 1))
fi
if ! twice 'int F() { return 1; }' 'int F() { return 2; }' ||
  ! twice 'inline int F() { return 1; } int A() { return F(); }' \
    'int F() { return 2; }'; then
  echo "symbols accepted what is defined twice"
  failures=$((failures + 1))
fi

l=headers_alone
refuses $l 'stand alone' include/uringfs/alone.h 'inline std::string Name();'
refuses $l 'stand alone' include/uringfs/twice.h 'struct Twice {};'
refuses $l 'stand alone' include/uringfs/new.h '#include <concepts>\ntemplate <std::integral T> void F(T);'
refuses $l 'stand alone' src/base/warns.h 'inline int F(int unused) { return 1; }'

[ $failures = 0 ]
