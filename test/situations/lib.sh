# Sourced by the script of each cell, behind its variables; see cells.py.
# shellcheck shell=bash disable=SC2016,SC2086,SC2128,SC2153,SC2154,SC2178
#
#   W    folder of the cell         D   directory of the database
#   P    parent of D                O   directory that is opened in the end
#   M    mount point, I its image   B   a file with the id of another boot
#   AS   command in front of what opens, to be another user
#   BOOT same|other, for what opens    FS  uringfs|posix
#   WITH more arguments of each driver, without spaces in them

set -euo pipefail
ulimit -c 0

# as_asked COMMAND...: as the user and in the boot that opens.
as_asked() {
  local before=()
  # What is unmounted here is to go there too.
  [ "$BOOT" = same ] || before=(unshare --mount --propagation slave bash -c
    'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$B")
  ${before[@]+"${before[@]}"} $AS "$@"
}

on_posix() { as_asked "$@"; }
on_uringfs() {
  if [ "$FS" = posix ]; then
    as_asked "$@"
  else
    as_asked env "LD_PRELOAD=$MODULE" URINGFS_DEFAULT=1 "$@"
  fi
}

# Hard links of the files, which may be missing, in a folder beside D.
link() {
  local file
  mkdir "$D.links"
  for file in "$@"; do
    ! [ -e "$file" ] || ln "$file" "$D.links"
  done
}

# put ARGUMENT...: the writer, which must end with one of $ENDS.
put() {
  local code=0
  on_uringfs "$DRIVER" put "$D" "$@" "counter=$W/account" \
    ${WAL_DIR:+"wal_dir=$WAL_DIR"} $WITH 2>&1 || code=$?
  if [[ " $ENDS " != *" $code "* ]]; then
    echo "the writer ended with $code"
    exit 1
  fi
}

# say TITLE COMMAND...: runs it, and tells how it ended for cells.py to judge.
say() {
  local title=$1 code=0
  shift
  echo "open: $title"
  "$@" > "$W/said" 2>&1 || code=$?
  cat "$W/said"
  echo "exit: $code"
  return "$code"
}

# look on_uringfs|on_posix COMMAND DIRECTORY [NAME=VALUE...]
look() {
  say "$*" "$1" "$DRIVER" "${@:2}" "value=$VALUE" \
    ${WAL_DIR:+"wal_dir=$WAL_DIR"} $WITH
}

# recover DIRECTORY [FLAG...]: there is nothing to recover on posix.
recover() {
  [ "$FS" = posix ] || say "uringfs recover $*" as_asked "$TOOL" recover \
    "${@:2}" "$1" ${WAL_DIR:+"$WAL_DIR"}
}

# Where an open was refused with both ways out, one of them is gone.
way_out() {
  grep -q -- 'uringfs recover --discard' "$W/said" || return 0
  echo "way out"
  recover "$O" --discard && look on_posix count "$O"
}

# attach IMAGE MOUNT_POINT [OPTION]: the loop device goes with the mount. Not
# `mount -o loop`: that asks every loop device there is, and waits where one
# of somebody else's does not answer.
attach() {
  local loop code=0
  loop=$(losetup --find --show "$1")
  mount ${3:+-o "$3"} "$loop" "$2" || code=$?
  losetup --detach "$loop"
  return "$code"
}

# What the side files hold now, to be there again by old_sides: as a disk has
# them that was not asked to keep what came later.
keep_sides() {
  local file
  mkdir "$W/old"
  for file in "$D"/*.log.uringfs; do
    ! [ -e "$file" ] || cp "$file" "$W/old"
  done
}

# old_sides DIRECTORY: in the same files.
old_sides() {
  local file to
  for file in "$W"/old/*; do
    to=$1/$(basename "$file")
    ! [ -e "$to" ] || dd if="$file" of="$to" conv=notrunc status=none
  done
}

# tear LOG...: the end of its last record is zeros, from inside a sector on.
tear() {
  python3 - "$@" <<'END'
import sys
for path in sys.argv[1:]:
    with open(path, "r+b") as log:
        log.seek(len(log.read().rstrip(b"\0")) - 700)
        log.write(bytes(700))
END
}

# posix_was_here [NAME=VALUE...]: somebody opens the database without uringfs.
posix_was_here() {
  on_posix "$DRIVER" count "$D" "value=$VALUE" ${WAL_DIR:+"wal_dir=$WAL_DIR"} $WITH \
    "$@" || true
}

# wait_until COMMAND...: tries it for ten seconds.
wait_until() {
  for _ in $(seq 200); do
    "$@" 2> /dev/null && return
    sleep 0.05
  done
  "$@"
}

is_free() { ! grep -qsxF "$1" /sys/block/loop*/loop/backing_file; }

# detach MOUNT_POINT: what a killed process had in flight may hold it. When the
# loop device is gone, so is the file system.
detach() {
  wait_until umount "$1"
  wait_until is_free "$I"
}

# freeze COMMAND...: runs it while the file system M stands still.
freeze() {
  trap 'fsfreeze -u "$M"' EXIT
  fsfreeze -f "$M"
  "$@"
}

# Another loop device under the same file system. Somebody else may have taken
# the old one by then: that will do, unless it is given back too soon.
change_loop() {
  local was held
  was=$(findmnt -nro SOURCE "$M")
  truncate -s 1M "$W/dummy"
  while [ "$(findmnt -nro SOURCE "$M")" = "$was" ]; do
    detach "$M"
    held=
    ! losetup "$was" "$W/dummy" 2> /dev/null || held=$was
    attach "$I" "$M"
    ${held:+losetup --detach "$held"}
  done
}

# copy_by_rename FROM TO: as rsync does, every file by another name at first.
copy_by_rename() {
  local path name
  mkdir "$2"
  for path in "$1"/*; do
    name=$(basename "$path")
    cp --preserve=mode,ownership,timestamps "$path" "$2/.$name.Ab12Cd"
    mv "$2/.$name.Ab12Cd" "$2/$name"
  done
}

# copy_by_size FROM TO: as rsync does, where nothing is older than a second.
copy_by_size() {
  local path name
  for path in "$2"/*; do
    [ -e "$1/$(basename "$path")" ] || rm "$path"
  done
  for path in "$1"/*; do
    name=$(basename "$path")
    [ -e "$2/$name" ] && [ "$(stat -c %s "$path")" = "$(stat -c %s "$2/$name")" ] ||
      cp -a "$path" "$2/$name"
  done
}

# interrupt DELAY_MS...: opens for write that are killed so long after.
interrupt() {
  local delay before=$AS
  for delay in "$@"; do
    AS="timeout --foreground -s KILL $(printf '0.%03d' "$delay") $before"
    on_uringfs "$DRIVER" count "$D" "value=$VALUE" \
      ${WAL_DIR:+"wal_dir=$WAL_DIR"} $WITH > "$W/interrupted" 2>&1 || true
  done
  AS=$before
}
