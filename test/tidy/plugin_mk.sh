#!/usr/bin/env bash
# plugin_mk.sh ROOT: RocksDB reads plugin/uringfs.mk both as a makefile and by
# regular expressions: every variable on one line, `name = value`.
set -euo pipefail
cd -- "$1/plugin"

bad=0
complain() {
  echo "plugin/uringfs.mk: $*"
  bad=1
}

[ -f uringfs.mk ] || { complain "not there"; exit 1; }
while IFS= read -r line; do
  case $line in
    '' | '#'*) ;;
    *\\) complain "a line that goes on in the next: $line" ;;
    uringfs_[A-Z]*' = '[!\ ]*) ;;
    *) complain "not of the form uringfs_NAME = value: $line" ;;
  esac
done <uringfs.mk

value() { sed -n "s/^uringfs_$1 = //p" uringfs.mk; }

for variable in SOURCES HEADERS FUNC; do
  [ -n "$(value $variable)" ] || complain "uringfs_$variable is not set"
done
for file in $(value SOURCES) $(value HEADERS); do
  [ -f "$file" ] || complain "names $file, which is not in plugin/"
done
for duplicate in $(value SOURCES | tr ' ' '\n' | sort | uniq -d); do
  complain "names $duplicate twice"
done
for function in $(value FUNC); do
  # shellcheck disable=SC2046
  grep -qs "$function(" $(value SOURCES) ||
    complain "no source defines $function"
done
exit $bad
