# Shared by the scripts here. Usage of each: SCRIPT PATH/liburingfs.so PATH/uringfs
# Exit codes: 0 passed, 1 failed, 77 skipped (the reason is printed).
# shellcheck shell=bash

set -euo pipefail

module=${1:?path of liburingfs.so}
tool=${2:?path of the uringfs tool}

skip() { echo "skipped: $*"; exit 77; }
fail() {
  echo "FAILED: $*" >&2
  tail -n 20 -- "$root"/*.log >&2 2>/dev/null || true
  exit 1
}

# needs PROGRAM PACKAGE
needs() { command -v "$1" >/dev/null || skip "$1 is not installed (package $2)"; }

root=$(mktemp -d "${URINGFS_TEST_DIR:-$PWD}/uringfs_test.XXXXXX")
children=()
at_exit() {
  local child
  for child in ${children[@]+"${children[@]}"}; do
    kill -KILL "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  done
  rm -rf -- "$root"
}
trap at_exit EXIT

# in_front posix|uringfs: what a command takes there, in $with.
in_front() {
  with=()
  [ "$1" = posix ] || with=(env "LD_PRELOAD=$module" URINGFS_DEFAULT=1)
}

# on posix|uringfs COMMAND...
on() {
  local with
  in_front "$1"
  ${with[@]+"${with[@]}"} "${@:2}"
}

# start LOG posix|uringfs COMMAND...: in the background; its id is in $child.
start() {
  local with
  in_front "$2"
  ${with[@]+"${with[@]}"} "${@:3}" >>"$root/$1.log" 2>&1 &
  child=$!
  children+=("$child")
}

# killed ID: by SIGKILL, and gone.
killed() {
  kill -KILL "$1"
  wait "$1" 2>/dev/null || true
}

# wait_for COMMAND...: tries it for 30 seconds.
wait_for() {
  local until=$((SECONDS + 30))
  while [ "$SECONDS" -lt "$until" ]; do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  fail "not within 30 seconds: $*"
}

# served DIRECTORY: the database there went through uringfs.
served() {
  grep -q 'uringfs [0-9][0-9.]*: ' "$1/LOG" || fail "no uringfs in $1/LOG"
}

# not_served LOG: the program was told in one line that it runs as without.
not_served() {
  [ "$(grep -c '^uringfs: .*RocksDB runs as without uringfs' "$root/$1.log")" = 1 ] ||
    fail "not one line that says why uringfs is not there"
}
