# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""The matrix as data: events x changes x ways to open, and what is expected.

Texts in shell go into the script of a cell; lib.sh says what its functions and
variables are.
"""

import dataclasses

ALL = "all"
OR_ERROR = "all or error"

# By RocksDB's assertions, as Debian builds it, when its log cannot be written;
# by a store into a side file whose file system is down.
ABORT, BUS_ERROR = "134", "135"

# Where a database lies: a folder of the disk, or an image with a file system.
DIR, EXT4, XFS = "dir", "ext4", "xfs"


@dataclasses.dataclass(frozen=True)
class Event:
    """How the life of the writer ends."""
    title: str
    end: str = "kill"
    place: str = DIR
    put: str = ""           # more arguments of the writer
    live: str = ""          # while it lives, after half of the puts
    after: str = ""         # when it has ended
    may_end: str = ""       # more statuses the writer may end with
    counts: str = "acknowledged"   # word of the account that must be there
    boots: tuple = ("same",)
    same_boot: str = ALL    # expected if opened in the same boot
    sizes: tuple = ("1m", "turns", "many", "small")
    quick: tuple = None     # changes in the short choice; None: each


@dataclasses.dataclass(frozen=True)
class Change:
    """What the user does with the files afterwards."""
    title: str
    after: str = ""
    live: str = ""
    put: str = ""
    place: str = DIR
    ways: tuple = None      # None: each
    events: tuple = None    # None: each
    expected: str = ALL
    is_copy: bool = False   # with nothing to tell a loss from a hasty copy
    counts: str = ""        # overrides the event's
    boot: str = ""          # overrides the event's
    wal_dir: str = ""       # its name, beside the database
    options: str = ""       # more arguments of all drivers
    sizes: tuple = None     # None: the event's
    posix_opens: bool = True  # or refuses it, also without side files


@dataclasses.dataclass(frozen=True)
class Way:
    title: str
    script: str
    only: tuple = None      # behind these events; None: each
    never: tuple = ()       # and not behind these


def shutdown(place, flags):
    how = {1: "log flushed", 2: "log not flushed"}[flags]
    return Event(
        f"{place} shut down, {how}, mounted again", place=place,
        live=f'"$DRIVER" shutdown "$M" flags={flags}',
        after='detach "$M"; attach "$I" "$M"', counts="synced",
        may_end=f"{ABORT} {BUS_ERROR}", boots=("same", "other"),
        same_boot=OR_ERROR,
        quick=("nothing", "chmod", "cp", "loop"))


def full_disk(title, full):
    return Event(
        title, place=EXT4, put=f'"fill=$M/fill" full={full}',
        # What the database writes meanwhile takes some of it.
        live='until free=$(stat -f -c "%a * %S" "$M") && '
             'fallocate -l $((free - (2 << 20))) "$M/fill"; do\n'
             '  rm -f "$M/fill"; sleep 0.1; done',
        sizes=("full",), after='rm -f "$M/fill"',
        may_end=ABORT if full == "log" else "",
        quick=("nothing", "fsgroup", "link-all", "cp"))


COPY_IMAGE = 'cp --sparse=always "$I" "$I.copy"'
USE_COPY = 'detach "$M"; I=$I.copy; attach "$I" "$M"'

# With one log only: of several, RocksDB itself skips what an older one lacks.
WITH_SIDE_FILE = ("1m", "turns")

EVENTS = {
    "kill": Event("kill -9"),
    "busy": Event("kill -9 while it puts", end="busy"),
    "flush": Event("kill -9 after a flush", put="flush=1",
                   sizes=("1m", "turns", "small"),
                   quick=("nothing", "fsgroup", "cp", "wal-dir", "mv")),
    "exit": Event("exit() without close", end="exit"),
    "abort": Event("abort()", end="abort"),
    "full-log": full_disk(
        "disk full under the log, space freed, kill -9", "log"),
    "full-flush": full_disk(
        "disk full in a flush, space freed, recovered, kill -9", "flush"),
    "recovery": Event(
        "kill -9, and again while it opens", after="interrupt $DELAYS"),
    "ext4-flush": shutdown(EXT4, 1),
    "ext4-noflush": shutdown(EXT4, 2),
    "xfs-flush": shutdown(XFS, 1),
    "xfs-noflush": shutdown(XFS, 2),
    "power": Event(
        "power loss: image of the live file system, not frozen", place=EXT4,
        live=COPY_IMAGE, after=USE_COPY, counts="half_synced",
        boots=("other", "same"), same_boot=OR_ERROR,
        quick=("nothing", "chmod", "cp", "loop")),
    "power-again": Event(
        "kill -9, opened, more puts beside the old log, then power loss",
        place=EXT4, live=COPY_IMAGE,
        after='BOOT=same put again=1 keys=20 "value=$VALUE" sync=1 end=kill '
              f'"live=bash $0 live"; {USE_COPY}',
        counts="half_synced", boots=("other", "same"), same_boot=OR_ERROR,
        sizes=WITH_SIDE_FILE, quick=("nothing",)),
}

NEW = 'O=$P/new; '
MIX = f'{NEW}cp -a "$D" "$O"; cp -a "$D.half"/*.log "$O"'
OF_GROUP = ('chgrp -R 65533 "$D"; chmod -R g+rwX "$D"; '
            'find "$D" -type d -exec chmod g+s {} +')
AS_USER = "AS='setpriv --reuid=65534 --regid=65534 "
# Those that end a process and leave its files where they are.
ENDS = ("kill", "busy", "exit", "abort", "recovery")
# After the others nothing of the newer life is left beside its log: what was
# put over it is what there is.
WITH_SIDE_FILE_LEFT = ("kill", "busy", "abort")
# Half of the puts come behind what was done to the open database, more than the
# ring has room for. Else its log is perhaps no longer than it was then, and
# nobody can tell.
LATER = ("kill", "abort")
# RepairDB takes the same table twice, of which somebody left one.
NOT_REPAIR = ("write", "ro", "secondary", "recover", "checkpoint")
# RocksDB 7.8.3 makes no whole checkpoint of an encrypted database.
ON_URINGFS = ("write", "ro", "secondary", "recover")
# RocksDB takes a cut at some places of large records for damage, and writes
# something into the next log then.
SHORT = ("short", "1m")

CHANGES = {
    "nothing": Change("nothing"),
    "chmod": Change("chmod -R g+rwX", 'chmod -R g+rwX "$D"'),
    "fsgroup": Change("chgrp and g+rwX (fsGroup)", OF_GROUP),
    "fsgroup-user": Change(
        "the same, opened by another user of the group",
        f"{OF_GROUP}; {AS_USER}--groups=65533'"),
    "chown": Change(
        "chown -R, opened by the new owner",
        f"chown -R 65534:65534 \"$D\"; {AS_USER}--clear-groups'"),
    "link-log": Change(
        "hard link of the log, before more puts",
        live='link "$D"/*.log', events=ENDS),
    "link-side": Change(
        "hard link of the side file, before more puts",
        live='link "$D"/*.log.uringfs', events=ENDS,
        sizes=WITH_SIDE_FILE),
    "link-all": Change(
        "cp -al of the open database, before more puts",
        live='cp -al "$D" "$D.links"',
        events=ENDS + ("full-log", "full-flush")),
    "cp-al-live": Change(
        "cp -al of the open database, too small for a side file; it grows, and "
        "the links are opened", 'O=$D.links', live='cp -al "$D" "$D.links"',
        events=ENDS, sizes=("grown",), counts="half"),
    "tool-live": Change(
        "`uringfs recover`, also with --accept and --discard, of the open "
        "database",
        live='for flag in "" --accept --discard; do\n'
             '  "$TOOL" recover $flag "$D" > "$W/said" 2>&1 || true; done',
        events=ENDS + ("full-flush",)),
    "cp-al": Change("cp -al, the copy is opened", f'{NEW}cp -al "$D" "$O"'),
    "cp": Change("cp -a, the copy is opened", f'{NEW}cp -a "$D" "$O"',
                 is_copy=True),
    "cp-over": Change(
        "cp -r by another user, the copy is opened",
        f'{NEW}cp -r "$D" "$O"; chown -R 65534:65534 "$O"; '
        f"{AS_USER}--clear-groups'", is_copy=True),
    "tar": Change("tar c, tar x, the copy is opened",
                  f'{NEW}mkdir "$O"; tar -C "$D" -c . | tar -C "$O" -xp',
                  is_copy=True),
    "rsync": Change("a copy as by rsync is opened",
                    f'{NEW}copy_by_rename "$D" "$O"', is_copy=True),
    "mv": Change("mv of the directory", f'{NEW}mv "$D" "$O"'),
    "mv-files": Change("mv of the files",
                       f'{NEW}mkdir "$O"; mv "$D"/* "$O"'),
    "mv-fs": Change("mv to another file system",
                    'O=$W/new; mv "$D" "$O"', place=EXT4, is_copy=True),
    "mv-logs": Change(
        "a wal_dir of its own, mv *.log to another one",
        'mkdir "$P/to"; mv "$WAL_DIR"/*.log "$P/to"\n'
        'mv "$WAL_DIR" "$P/old"; WAL_DIR=$P/to',
        wal_dir="wal", expected=OR_ERROR, ways=NOT_REPAIR, events=ENDS),
    "mv-logs-fs": Change(
        "the same, on another file system",
        'mkdir "$W/to"; mv "$WAL_DIR"/*.log "$W/to"\n'
        'mv "$WAL_DIR" "$P/old"; WAL_DIR=$W/to',
        wal_dir="wal", expected=OR_ERROR, ways=NOT_REPAIR, place=EXT4,
        events=ENDS),
    "cp-logs": Change(
        "cp -a of all but the side files, the copy is opened",
        f'{NEW}cp -a "$D" "$O"; rm -f "$O"/*.uringfs', expected=OR_ERROR,
        events=ENDS),
    "cp-empty-sides": Change(
        "the same, and an empty file is in the place of each side file",
        f'{NEW}cp -a "$D" "$O"\n'
        'for f in "$O"/*.uringfs; do [ ! -e "$f" ] || : >"$f"; done',
        expected=OR_ERROR, events=ENDS),
    "rm-sides-live": Change(
        "the side files are removed while it is open",
        live='rm -f "$D"/*.uringfs', expected=OR_ERROR, events=ENDS),
    "symlink": Change("opened by a symbolic link",
                      f'{NEW}ln -s "$D" "$O"'),
    "wal-dir": Change("a wal_dir of its own", wal_dir="wal"),
    "wal-dir-mv": Change(
        "a wal_dir of its own, renamed",
        'mv "$WAL_DIR" "$P/to"; WAL_DIR=$P/to', wal_dir="wal"),
    "wal-dir-odd": Change(
        "a wal_dir with an odd name, opened by a relative path",
        'cd "$P"; O=db WAL_DIR=./${WAL_DIR##*/}', wal_dir="w;a:l = #{}"),
    "boot-id": Change("opened under another boot id (a container's)",
                      boot="other", events=ENDS),
    "bind": Change("bind mount",
                   'O=$W/new; mkdir "$O"; mount --bind "$D" "$O"'),
    "loop": Change("another loop device", "change_loop", place=EXT4),
    "read-only": Change(
        "read-only mount", 'detach "$M"; attach "$I" "$M" ro', place=EXT4,
        ways=("ro", "secondary")),
    "overlay": Change(
        "lower layer of an overlay, read-only at first",
        'mkdir "$M/upper" "$M/work" "$W/merged"\n'
        'mount -t overlay overlay -o '
        '"lowerdir=$P,upperdir=$M/upper,workdir=$M/work" "$W/merged"\n'
        'O=$W/merged/db; look on_uringfs ro "$O" || true', place=EXT4),
    "snapshot": Change(
        "image of the live, frozen file system",
        live=f"freeze {COPY_IMAGE}", after=USE_COPY, place=EXT4,
        events=("kill", "busy"), counts="half"),
    "snapshot-boot": Change(
        "the same, in another boot",
        live=f"freeze {COPY_IMAGE}", after=USE_COPY, place=EXT4,
        events=("kill", "busy"), counts="half_synced", boot="other"),
    "remount": Change(
        "unmounted and mounted again", 'detach "$M"; attach "$I" "$M"',
        place=EXT4, events=ENDS),
    "reboot": Change(
        "orderly reboot", 'detach "$M"; attach "$I" "$M"', place=EXT4,
        boot="other", events=ENDS),
    "cp-live": Change(
        "cp -a of the open database, the copy is opened", NEW,
        live='cp -a "$D" "$P/new"', counts="half", expected=OR_ERROR,
        events=WITH_SIDE_FILE_LEFT),
    "cp-live-boot": Change(
        "the same, on another machine", NEW,
        live='cp -a "$D" "$P/new"', counts="half", expected=OR_ERROR,
        events=WITH_SIDE_FILE_LEFT, boot="other"),
    "cp-closed": Change(
        "its log is copied, and its side file when the next log is in use",
        NEW,
        live='cp -a "$D" "$P/new"; rm -f "$P"/new/*.log.uringfs',
        put='"then=cp -a $D/000004.log.uringfs $P/new || [ $FS = posix ]"',
        counts="half", expected=OR_ERROR, events=WITH_SIDE_FILE_LEFT,
        sizes=WITH_SIDE_FILE),
    "stale": Change(
        "a side file as the disk had it before, mounted again",
        'old_sides "$D"; detach "$M"; attach "$I" "$M"', live="keep_sides",
        place=EXT4, events=WITH_SIDE_FILE_LEFT, counts="synced"),
    "stale-boot": Change(
        "the same, in another boot", 'old_sides "$D"', live="keep_sides",
        events=WITH_SIDE_FILE_LEFT, boot="other", counts="synced"),
    "torn-boot": Change(
        "the same, and a record of which the disk has not all, tolerating "
        "nothing",
        'old_sides "$D"; tear "$D"/*.log', live="keep_sides",
        events=WITH_SIDE_FILE_LEFT, boot="other", counts="half_synced",
        sizes=WITH_SIDE_FILE, options="mode=absolute", posix_opens=False),
    "stale-put": Change(
        "an older side file put in its place",
        'old_sides "$D"', live="keep_sides", expected=OR_ERROR,
        events=LATER, sizes=("turns",)),
    "cp-u": Change(
        "cp -a of the open database, then cp -au, the copy is opened",
        f'{NEW}cp -au "$D/." "$O"', live='cp -a "$D" "$P/new"',
        expected=OR_ERROR, events=LATER, sizes=("turns",)),
    "cp-by-size": Change(
        "cp -a of the open database, then of what has another size or is new "
        "(rsync within a second), the copy is opened",
        f'{NEW}copy_by_size "$D" "$O"', live='cp -a "$D" "$P/new"',
        put="late=1", expected=OR_ERROR, events=LATER, sizes=("short",)),
    "cp-mixed": Change(
        "the log of an earlier copy beside the side file",
        MIX,
        live='cp -a "$D" "$D.half"', expected=OR_ERROR,
        events=WITH_SIDE_FILE_LEFT, sizes=WITH_SIDE_FILE),
    "cp-mixed-boot": Change(
        "the same, on another machine",
        MIX,
        live='cp -a "$D" "$D.half"', expected=OR_ERROR, boot="other",
        events=WITH_SIDE_FILE_LEFT, sizes=WITH_SIDE_FILE,
        counts="acknowledged"),
    "cp-mixed-careless": Change(
        "the same on this one, without paranoid_checks",
        MIX,
        live='cp -a "$D" "$D.half"', expected=OR_ERROR,
        events=WITH_SIDE_FILE_LEFT, sizes=WITH_SIDE_FILE,
        options="careless=1"),
    "posix": Change(
        "opened without uringfs", "posix_was_here", expected=OR_ERROR,
        events=WITH_SIDE_FILE_LEFT, sizes=SHORT),
    "posix-links": Change(
        "cp -al, then opened without uringfs",
        'cp -al "$D" "$D.links"; posix_was_here', expected=OR_ERROR,
        events=WITH_SIDE_FILE_LEFT, sizes=SHORT),
    "posix-killed": Change(
        "the same, and killed before it deletes the log",
        "posix_was_here end=delete", expected=OR_ERROR,
        ways=NOT_REPAIR, events=WITH_SIDE_FILE_LEFT, sizes=SHORT),
    "posix-killed-wal-dir": Change(
        "the same, with a wal_dir of its own",
        "posix_was_here end=delete", expected=OR_ERROR,
        ways=NOT_REPAIR, events=WITH_SIDE_FILE_LEFT, sizes=SHORT,
        wal_dir="wal"),
    "posix-killed-wal-dir-odd": Change(
        "the same, with an odd name, opened by a relative path",
        'posix_was_here end=delete; cd "$P"; O=db WAL_DIR=./${WAL_DIR##*/}',
        expected=OR_ERROR, ways=NOT_REPAIR, events=WITH_SIDE_FILE_LEFT,
        sizes=SHORT, wal_dir="w;a:l = #{}"),
    "posix-killed-wal-dir-moved": Change(
        "the same, moved, and the old one is there again",
        'mv "$WAL_DIR" "$P/to"; mkdir "$WAL_DIR"; WAL_DIR=$P/to\n'
        'cp -a "$D"/OPTIONS-* "$W/out"; posix_was_here end=delete\n'
        'rm "$D"/OPTIONS-*; cp -a "$W"/out/OPTIONS-* "$D"',
        expected=OR_ERROR, ways=NOT_REPAIR, events=WITH_SIDE_FILE_LEFT,
        sizes=SHORT, wal_dir="wal"),
    "posix-half": Change(
        "the same, tolerating torn tails, then `uringfs recover` while its "
        "MANIFEST is not there",
        'posix_was_here end=delete; mv "$D"/MANIFEST-* "$W/out"\n'
        '"$TOOL" recover "$D" > "$W/said" 2>&1 || true\n'
        'mv "$W"/out/MANIFEST-* "$D"',
        expected=OR_ERROR, ways=NOT_REPAIR, events=WITH_SIDE_FILE_LEFT,
        sizes=SHORT, options="mode=tolerate"),
    "posix-put-back": Change(
        "opened without uringfs, and the log put back",
        'mkdir "$D.log"; cp -a "$D"/*.log "$D.log"; posix_was_here; '
        'cp -a "$D.log/." "$D"', expected=OR_ERROR,
        ways=NOT_REPAIR, events=WITH_SIDE_FILE_LEFT, sizes=SHORT),
    "restore": Change(
        "an older checkpoint copied over it",
        'cp -a "$D.copy/." "$D"', put='"checkpoint=$D.good"',
        live='cp -a "$D.good" "$D.copy"',
        expected=OR_ERROR, events=WITH_SIDE_FILE_LEFT, sizes=WITH_SIDE_FILE),
    "restore-logs": Change(
        "an older backup restored, its logs kept",
        'look on_uringfs restore "$D" "from=$W/backup" || true',
        put='"backup=$W/backup"', events=WITH_SIDE_FILE_LEFT,
        sizes=WITH_SIDE_FILE),
    "encrypted": Change(
        "nothing, it is encrypted", options="encrypt=1", events=ENDS,
        ways=ON_URINGFS),
    "encrypted-cp": Change(
        "cp -a, the copy is opened, it is encrypted",
        f'{NEW}cp -a "$D" "$O"', options="encrypt=1",
        events=WITH_SIDE_FILE_LEFT, ways=ON_URINGFS),
    "gaps": Change(
        "nothing, other writes go without the log", options="gaps=1",
        events=ENDS, sizes=("many",)),
    "gaps-private": Change(
        "the same, with a private ring",
        options="gaps=1 uringfs=wal_ring=private", events=ENDS,
        sizes=("many",)),
    "gaps-limit": Change(
        "the same, no file may be as long as a side file",
        put="limit=1000000", options="gaps=1", events=ENDS,
        sizes=("many",)),
    "encrypted-gaps": Change(
        "the same, it is encrypted", options="gaps=1 encrypt=1", events=ENDS,
        sizes=("many",), ways=ON_URINGFS),
    "encrypted-gaps-private": Change(
        "the same, it is encrypted, with a private ring",
        options="gaps=1 encrypt=1 uringfs=wal_ring=private", events=ENDS,
        sizes=("many",), ways=ON_URINGFS),
    "encrypted-private-tolerate": Change(
        "it is encrypted, with a private ring, tolerating torn tails",
        options="encrypt=1 mode=tolerate uringfs=wal_ring=private",
        events=ENDS, ways=ON_URINGFS),
    "encrypted-private-absolute": Change(
        "it is encrypted, with a private ring, tolerating nothing",
        options="encrypt=1 mode=absolute uringfs=wal_ring=private",
        events=("exit", "kill", "abort"), ways=ON_URINGFS),
    "encrypted-absolute": Change(
        "it is encrypted, tolerating nothing",
        options="encrypt=1 mode=absolute", events=("exit", "kill", "abort"),
        ways=ON_URINGFS),
    "old-side": Change(
        "recovered, then an old side file put back",
        'recover "$D" || true; cp -a "$D.old/." "$D"',
        live='mkdir "$D.old"; for f in "$D"/*.log.uringfs; do '
             '! [ -e "$f" ] || cp -a "$f" "$D.old"; done',
        expected=OR_ERROR, events=ENDS, sizes=WITH_SIDE_FILE),
}

TO = '"to=$W/out/to"'

WAYS = {
    "write": Way("for write, then plain posix", (
        'look on_uringfs count "$O" && look on_posix count "$O"')),
    "ro": Way("read-only", 'look on_uringfs ro "$O"'),
    "secondary": Way("secondary", f'look on_uringfs secondary "$O" {TO}'),
    "repair": Way("RepairDB, then for write", (
        'look on_uringfs repair "$O" && look on_uringfs count "$O"'),
        # It takes the same table twice, of which a killed open left one.
        never=("recovery",)),
    "recover": Way("`uringfs recover`, then plain posix", (
        'recover "$O" && look on_posix count "$O"')),
    "checkpoint": Way("its checkpoint, by plain posix", (
        f'look on_uringfs checkpoint "$O" {TO} && '
        'WAL_DIR="" look on_posix count "$W/out/to"')),
    "posix": Way("plain posix", 'look on_posix count "$O"', only=("exit",)),
}

SYNCS = ("0", "mixed", "0", "1")

# Puts, bytes of a value, bytes of a memtable (0: one takes all).
SIZES = {
    "1m": (500, 2000, 0),
    "turns": (1250, 4000, 0),          # several turns of the ring
    "many": (1000, 1000, 128 << 10),   # several logs
    "short": (20000, 100, 0),          # many records in a block
    "small": (40, 100, 0),             # too short for a side file
    "grown": (100, 800, 0),            # too short after half of them
    "full": (4000, 4000, 0),           # half of them, and until it is full
}


def expected(event, change, boot):
    may_have_lost = event.same_boot == OR_ERROR
    if change.expected == OR_ERROR or (change.is_copy and may_have_lost):
        return OR_ERROR
    return event.same_boot if boot == "same" else ALL


def is_cell(event_name, change_name):
    event, change = EVENTS[event_name], CHANGES[change_name]
    return change.events is None or event_name in change.events


def ways_of(event_name, change_name):
    change = CHANGES[change_name]
    return [name for name, way in WAYS.items()
            if (change.ways is None or name in change.ways) and
            (way.only is None or event_name in way.only) and
            event_name not in way.never]
