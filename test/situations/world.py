# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""The folder of a run, what may be done here, and leaving nothing behind.

All mounts are made in a mount namespace of the run's own, with loop devices
that go with the mount, so the kernel clears up even after kill -9. What is
left then, the folder, is removed by the next run: it takes the lock in it.
"""

import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

PREFIX = "uringfs_situations."
OWN_NAMESPACE = "URINGFS_SITUATIONS_NAMESPACE"
LIBRARY = pathlib.Path(__file__).resolve().parent / "lib.sh"


def enter_namespace():
    """Starts this program again in a mount namespace, where that is allowed."""
    if OWN_NAMESPACE in os.environ:
        if os.environ[OWN_NAMESPACE]:
            # Among the namespaces of the run; not with the outside.
            subprocess.run(["mount", "--make-rshared", "/"], check=True)
        return
    unshare = ["unshare", "--mount", "--propagation", "private"]
    allowed = subprocess.run(unshare + ["true"], check=False,
                             stderr=subprocess.DEVNULL).returncode == 0
    os.environ[OWN_NAMESPACE] = "1" if allowed else ""
    if allowed:
        os.execvp(unshare[0], unshare + ["--", sys.executable, "-B", *sys.argv])


def mounts_below(folder):
    """Mount points, the newest first."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines]
    return [point for point in reversed(points)
            if point.startswith(str(folder) + "/")]


def loops_below(folder):
    for path in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if path.read_text().startswith(str(folder) + "/"):
                yield "/dev/" + path.parts[3]
        except OSError:
            pass  # detached meanwhile


def clear(folder):
    """Unmounts, detaches and deletes all that is below."""
    for point in mounts_below(folder):
        subprocess.run(["umount", "--lazy", point], check=False)
    for _ in range(100):
        loops = list(loops_below(folder))
        if not loops:
            break
        for loop in loops:
            subprocess.run(["losetup", "--detach", loop], check=False,
                           stderr=subprocess.DEVNULL)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


class World:
    """The folder of this run; to be used in a with statement."""

    def __init__(self, parent, keep):
        self._keep = keep
        for old in pathlib.Path(parent).glob(PREFIX + "*"):
            lock = self._lock(old)
            if lock is not None:
                clear(old)
                os.close(lock)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._held = self._lock(self.folder)
        self.folder.chmod(0o755)
        self._groups = set()
        self._mutex = threading.Lock()
        self.stopped = False

    @staticmethod
    def _lock(folder):
        """A descriptor, or None if a run that lives has it."""
        try:
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        return lock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        if not self._keep:
            clear(self.folder)
        os.close(self._held)

    def run(self, command, seconds):
        """(exit status, output of both streams); the process group is gone."""
        with self._mutex:
            if self.stopped:
                return 1, "stopped"
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True)
            self._groups.add(process.pid)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self._kill(process.pid)
            output = process.communicate()[0] + b"\ntook too long\n"
        finally:
            with self._mutex:
                self._groups.discard(process.pid)
        return process.returncode, output.decode(errors="replace")

    @staticmethod
    def _kill(group):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def stop(self):
        with self._mutex:
            self.stopped = True
            for group in self._groups:
                self._kill(group)

    def why_no_mounts(self):
        """Empty where loop devices can be mounted."""
        if not os.environ.get(OWN_NAMESPACE):
            return "no mount namespace of our own is allowed"
        probe = self.folder / "probe"
        status, said = self.run(["bash", "-ec", (
            '. "$0"; mkdir -p "$1/m"; I=$1/i; truncate -s 8M "$I"; '
            'mkfs.ext4 -q -F "$I"; attach "$I" "$1/m"; detach "$1/m"'),
            str(LIBRARY), str(probe)], 60)
        clear(probe)
        return f"cannot mount an image: {said.strip()}" if status else ""

    def why_no_users(self):
        """Empty where another user can be, and reach the folder."""
        status, said = self.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
             "test", "-x", str(self.folder)], 60)
        return "" if not status else \
            f"another user cannot be, or reach {self.folder}: {said.strip()}"
