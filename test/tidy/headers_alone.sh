#!/usr/bin/env bash
# headers_alone.sh ROOT WITH_PLUGIN CXX [FLAG...]: every header compiles by
# itself and can be included twice; the public ones as C++17.
set -euo pipefail
cd -- "$1"
with_plugin=$2
shift 2

export COMPILE="$* -fsyntax-only -Wall -Wextra -Werror -I. -Iinclude -Iplugin"
folders=(include src)
case $with_plugin in ON | 1 | TRUE | YES) folders+=(plugin) ;; esac

check() {
  local standard=c++20
  case $1 in include/*) standard=c++17 ;; esac
  # shellcheck disable=SC2086
  printf '#include "%s"\n#include "%s"\n' "$1" "$1" |
    $COMPILE -std=$standard -x c++ - || { echo "$1: does not stand alone"; exit 1; }
}
export -f check
find "${folders[@]}" -name '*.h' -print0 | sort -z |
  xargs -0 -n 1 -P "$(nproc)" bash -c 'check "$1"' headers_alone
