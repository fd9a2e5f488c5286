# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""A life of a database on a disk whose writes and flushes are logged."""

import ctypes
import dataclasses
import os
import pathlib
import random
import re
import shutil
import subprocess
import threading
import time

import device_log

IMAGE_BYTES = 64 << 20
LIBC = ctypes.CDLL(None)
SYNC_FILE_RANGE_WRITE = 2

# Flags of power_cut_workload. `kills`: lives before the last, each killed.
# `recut`: the life begins on a disk that is left of another one. `within_ms`:
# so long after it was acknowledged a put is owed, with uringfs; on posix a
# thread calls SyncWAL as often.
WORKLOADS = {
    "synced": {"sync_every": 1, "puts": 250},
    "mixed": {"sync_every": 7, "puts": 400},
    "wals": {"sync_every": 5, "puts": 450, "write_buffer_bytes": 256 << 10},
    "threads": {"sync_every": 3, "puts": 150, "threads": 3,
                "write_buffer_bytes": 512 << 10},
    "lives": {"sync_every": 5, "puts": 150, "kills": 2},
    "walsync": {"sync_every": 1, "puts": 250,
                "write_buffer_bytes": 256 << 10},
    "recut": {"sync_every": 5, "puts": 120, "recut": True,
              "write_buffer_bytes": 256 << 10},
    "unsynced": {"sync_every": 0, "puts": 450,
                 "write_buffer_bytes": 512 << 10},
    "laps": {"sync_every": 20, "puts": 200, "value_bytes": 40000,
             "write_buffer_bytes": 2 << 20},
    "bounded": {"sync_every": 0, "puts": 800, "within_ms": 10,
                "write_buffer_bytes": 512 << 10},
    "manual": {"sync_every": 9, "puts": 450, "manual_wal_flush": "true",
               "write_buffer_bytes": 256 << 10},
    "packed": {"sync_every": 20, "puts": 450, "compressed_wals": "true"},
}


# What power_cut_mount ends with.
CANNOT_MOUNT = 121


class HarnessError(Exception):
    """Something of the harness itself does not work."""


class CannotMount(HarnessError):
    """There is no file system in an image that was cut."""


@dataclasses.dataclass
class Tools:
    """Paths of the programs."""
    build: pathlib.Path

    def program(self, name):
        return str(self.build / "test/power_cut" / f"power_cut_{name}")

    @property
    def module(self):
        return str(self.build / "plugin/liburingfs.so")

    @property
    def tool(self):
        return str(self.build / "src/tool/uringfs")


@dataclasses.dataclass
class Life:
    """What is recorded."""
    fs: str
    workload: str
    seed: int
    uri: str  # of uringfs; empty: posix
    delay_us: int
    pause_us: int
    syncfs: bool
    births: bool = True  # of the file system: it knows when files were made
    writeback: bool = False  # of side files, now and then, and no flush
    lie: bool = False
    boot: str = ""  # id that the writer sees; empty: the machine's own

    @property
    def flags(self):
        return WORKLOADS[self.workload]

    @property
    def threads(self):
        return self.flags.get("threads", 1)

    @property
    def shared_flags(self):
        """Of the programs that put and that check."""
        flags = {name: self.flags[name]
                 for name in ("threads", "write_buffer_bytes", "value_bytes",
                              "compressed_wals", "manual_wal_flush")
                 if name in self.flags}
        return [f"--{name}={value}" for name, value in flags.items()]

    def __str__(self):
        return (f"{self.workload} on {self.fs}, {self.uri or 'posix'}, seed "
                f"{self.seed}, delay {self.delay_us} us, pause "
                f"{self.pause_us} us{', syncfs' if self.syncfs else ''}"
                f"{', writeback' if self.writeback else ''}"
                f"{'' if self.births else ', no births'}")


def draw_life(fs, workload, seed, preextend, random, lie=False):
    """A life with what else may differ; preextend None: posix."""
    uri = ""
    # A WAL without a side file goes through the page cache. Synced beside its
    # puts it may end within a record after a cut, as one of posix may, which a
    # few images of posix do not always show.
    is_bounded = "within_ms" in WORKLOADS[workload]
    ring_after = 0 if is_bounded else random.choice((0, 65536))
    buffers = random.choice(("64K", "256K"))
    if preextend is not None:
        uri = (f"uringfs://?wal_preextend={preextend}"
               f"&wal_ring_after_bytes={ring_after}"
               f"&wal_buffer_bytes={buffers}")
        if is_bounded:
            uri += f"&wal_durable_within={WORKLOADS[workload]['within_ms']}ms"
        uri += random.choice(("", "&data_cache=none"))
    return Life(fs, workload, seed, uri, random.choice((0, 100, 500)),
                random.choice((0, 0, 300)), random.random() < 0.4,
                fs != "ext4" or random.random() < 0.75,
                random.random() < 0.5, lie)


def environment(tools, uri):
    """Of a process that uses uringfs, or posix if `uri` is empty."""
    variables = {name: value for name, value in os.environ.items()
                 if not name.startswith(("URINGFS", "LD_"))}
    if uri:
        variables["LD_PRELOAD"] = tools.module
        variables["URINGFS_DEFAULT"] = uri
    return variables


def seeing_boot(boot, file):
    """What to put in front of a command that is to see this boot id."""
    if not boot:
        return []
    file.write_text(boot + "\n")
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"',
            file]


def run(command, **more):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                            capture_output=True, timeout=120, check=False,
                            **more)
    if result.returncode != 0:
        raise HarnessError(f"{' '.join(map(str, command))}: exit code "
                           f"{result.returncode}\n{result.stderr}")
    return result.stdout.strip()


def make_file_system(fs, births, path):
    """A new image."""
    with open(path, "wb") as file:
        file.truncate(IMAGE_BYTES)
    if fs == "ext4":
        run(["mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=4", "-E",
             "lazy_itable_init=0,lazy_journal_init=0,nodiscard", "-I",
             "256" if births else "128", path])
    else:  # smaller than mkfs.xfs would make one for a user
        run(["mkfs.xfs", "-q", "--unsupported", "-K", path])


def write_back(path, choose):
    """Some pages of a file, if it is still there."""
    try:
        with open(path, "rb") as file:
            pages = max(1, os.fstat(file.fileno()).st_size // 4096)
            first = choose.choice((0, 1, choose.randrange(pages)))
            count = choose.choice((1, 8, pages))
            LIBC.sync_file_range(file.fileno(),
                                 ctypes.c_long(first * 4096),
                                 ctypes.c_long(count * 4096),
                                 SYNC_FILE_RANGE_WRITE)
    except FileNotFoundError:
        pass


class Recording:
    """The recorder, with a loop device on it and a file system on that."""

    def __init__(self, tools, life, image, folder):
        self.tools = tools
        self.life = life
        self.image = image
        self.fuse = folder / "fuse"
        self.disk = folder / "disk"
        self.log = folder / "log"
        self.errors = folder / "recorder.err"
        self.stats = folder / "stats"
        self.recorder = None
        self.loop = ""
        self.mounted = False
        for directory in (self.fuse, self.disk):
            directory.mkdir(exist_ok=True)

    def record(self):
        """Returns the DeviceLog; self.loop is the loop device it had."""
        try:
            self._mount()
            self._live()
        finally:
            self._unmount()
        log = device_log.DeviceLog(self.log)
        within = self.life.flags.get("within_ms")
        if within is not None and self.life.uri:
            log.bound_us = max(1000 * within, self._longest_unstable())
        return log

    def _longest_unstable(self):
        """What uringfs says of its own puts: microseconds. The disk may have
        been too slow, or the machine too busy."""
        text = self.stats.read_text()
        return int(re.search(r" wal_max_unstable_us=(\d+)", text).group(1))

    def _mount(self):
        with open(self.errors, "wb") as errors:
            self.recorder = subprocess.Popen(
                [self.tools.program("recorder"), self.image, self.log,
                 str(self.life.delay_us), str(self.life.seed), self.fuse],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        device = self.fuse / "device"
        until = time.monotonic() + 20
        while not device.exists():
            if self.recorder.poll() is not None or time.monotonic() > until:
                raise HarnessError("the recorder does not start: "
                                   + self.errors.read_text())
            time.sleep(0.01)
        options = "commit=1" if self.life.fs == "ext4" else ""
        try:
            self.loop = run([self.tools.program("mount"), "--stay",
                             f"--fs={self.life.fs}", f"--options={options}",
                             f"--image={device}", f"--at={self.disk}"])
        except HarnessError as error:
            if f"exit code {CANNOT_MOUNT}\n" in str(error):
                raise CannotMount(str(error)) from error
            raise
        self.mounted = True

    def _live(self):
        life = self.life
        flags = dict(life.flags)
        kills = flags.pop("kills", 0)
        flags.pop("recut", None)
        within = flags.pop("within_ms", None)
        if within is not None and not life.uri:
            # What users of posix do.
            flags["sync_wal_ms"] = within
        command = seeing_boot(life.boot, self.disk.parent / "writer_boot")
        command += [self.tools.program("workload"), f"--db={self.disk}/db",
                   f"--ack={self.fuse}/ack", f"--seed={life.seed}",
                   f"--pause_us={life.pause_us}",
                   f"--lie={'true' if life.lie else 'false'}"]
        command += [f"--{name}={value}" for name, value in flags.items()]
        ended = threading.Event()
        helpers = [threading.Thread(target=target, args=(ended,))
                   for wanted, target in (
                       (life.syncfs, self._sync_now_and_then),
                       (life.writeback, self._write_back_now_and_then))
                   if wanted]
        for helper in helpers:
            helper.start()
        try:
            for number in range(kills + 1):
                last = number == kills
                kill = [] if last else [f"--kill_after={60 + 7 * number}"]
                result = subprocess.run(
                    command + kill, env=self._environment(),
                    stdin=subprocess.DEVNULL, capture_output=True, text=True,
                    timeout=300, check=False)
                if result.returncode != (0 if last else -9):
                    raise HarnessError(f"workload ({life}): exit code "
                                       f"{result.returncode}\n{result.stderr}")
                self._check_way(result.stderr)
        finally:
            ended.set()
            for helper in helpers:
                helper.join()

    def _environment(self):
        variables = environment(self.tools, self.life.uri)
        if self.life.uri:
            variables["URINGFS_OPTIONS"] = f"stats_file={self.stats}"
        return variables

    def _check_way(self, errors):
        text = (self.disk / "db/LOG").read_text(errors="replace")
        if errors or ("uringfs 0." in text) != (self.life.uri != ""):
            raise HarnessError(f"{self.life}: not by this file system\n"
                               + errors)

    def _sync_now_and_then(self, ended):
        while not ended.wait(0.15):
            subprocess.run(["sync", "-f", self.disk], check=False)

    def _write_back_now_and_then(self, ended):
        """As the kernel does with pages that are old: some of a side file's,
        in any order, and nothing is flushed."""
        choose = random.Random(self.life.seed)
        while not ended.wait(choose.choice((0.001, 0.004, 0.02))):
            for path in (self.disk / "db").glob("*.log.uringfs"):
                write_back(path, choose)

    def _unmount(self):
        if self.mounted:
            run(["umount", self.disk])
            self.mounted = False
        if self.recorder is None:
            return
        until = time.monotonic() + 10
        while self.recorder.poll() is None:
            subprocess.run(["umount", self.fuse], check=False,
                           capture_output=True)
            time.sleep(0.05)
            if time.monotonic() > until:
                self.recorder.kill()
        self.recorder.wait()
        self.recorder = None


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
