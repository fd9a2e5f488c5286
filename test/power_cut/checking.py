# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""Opens databases on images of power cuts and judges what it finds."""

import dataclasses
import json
import pathlib
import subprocess

from recording import CANNOT_MOUNT, environment

MODES = ("tolerate", "absolute", "point", "skip")
OTHER_BOOT = "5ca1ab1e-0000-4000-8000-0123456789ab"
HERE = pathlib.Path(__file__).resolve().parent

# What nobody may do, and what uringfs may do where posix does it.
NEVER = ("lost", "wrong", "invented", "broken", "again")
AS_POSIX = ("fails", "gap")
UNMOUNTABLE = "unmountable"


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to open an image."""
    who: str   # "posix", "uringfs", or "recover": posix, after the tool
    mode: str
    boot: str  # "same" as the writer's, or "other"
    loop: str = ""


@dataclasses.dataclass
class Finding:
    outcome: str  # "ok" or one of the words above
    detail: str


class Checker:
    """Opens images. `at`: an empty directory."""

    def __init__(self, tools, at, boot_id):
        self.tools = tools
        self.at = at
        self.boot_id = boot_id

    def mounted(self, image, life, variant, command, variables=None):
        """Runs a command with the image mounted at self.at."""
        mount = [self.tools.program("mount"), f"--fs={life.fs}",
                 f"--image={image}", f"--at={self.at}"]
        if variant.loop:
            mount.append(f"--loop={variant.loop}")
        boot = OTHER_BOOT if variant.boot == "other" else life.boot
        if boot:
            self.boot_id.write_text(boot + "\n")
            mount.append(f"--boot_id={self.boot_id}")
        try:
            return subprocess.run(
                mount + ["--"] + command, env=variables, timeout=60,
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                check=False)
        except subprocess.TimeoutExpired as error:
            return subprocess.CompletedProcess(
                error.cmd, 124, str(error.stdout), "it hangs")

    def command(self, life, variant):
        """That opens the database once it is mounted."""
        database = f"{self.at}/db"
        variables = environment(self.tools, life.uri or "uringfs://")
        preload = ["env"]
        if variant.who == "uringfs":
            preload += [f"{name}={variables[name]}"
                        for name in ("LD_PRELOAD", "URINGFS_DEFAULT")]
        command = preload + [
            self.tools.program("open_db"), f"--db={database}",
            f"--mode={variant.mode}", f"--seed={life.seed}",
            *life.shared_flags]
        if variant.who == "recover":
            return ["sh", "-c", '"$0" recover "$1" >&2; shift; exec "$@"',
                    self.tools.tool, database] + command
        return command

    def check(self, image, life, owed, variant):
        result = self.mounted(image, life, variant,
                              self.command(life, variant),
                              environment(self.tools, ""))
        if result.returncode == CANNOT_MOUNT:
            return Finding(UNMOUNTABLE, result.stderr)
        try:
            found = json.loads(result.stdout)
        except ValueError:
            return Finding("broken", f"exit code {result.returncode}: "
                           f"{result.stdout} {result.stderr}")
        if result.returncode != 0:
            return Finding("broken", f"exit code {result.returncode}: "
                           f"{result.stderr}")
        return judge(found, owed)

    def facts(self, image, life, variant):
        """What there is to know about an image, as text."""
        database = f"{self.at}/db"
        look = (f'cd "{database}" && ls -li --time-style=full-iso && '
                f'python3 -B "{HERE}/wal_facts.py" . && '
                f'"{self.tools.tool}" inspect .; echo; "$@"; ls -li; '
                'grep -hE "[]0-9] uringfs " LOG*')
        return self.mounted(
            image, life, variant,
            ["sh", "-c", look + " 2>&1", "sh"] + self.command(life, variant),
            environment(self.tools, "")).stdout


def judge(found, owed):
    """What the line of power_cut_open_db means."""
    detail = (f"found {found['counts']}, durable {owed.durable}, begun "
              f"{owed.begun}: {found['open']} {found['problem']}")
    if found["open"] != "OK":
        return Finding("fails", detail)
    if any(n < least for n, least in zip(found["counts"], owed.durable)):
        return Finding("lost", detail)
    if found["problem"]:
        word = found["problem"].replace(":", " ").split()[0]
        return Finding(word if word in NEVER + AS_POSIX else "broken", detail)
    # One put of each thread may be under way.
    if any(n > most + 1 for n, most in zip(found["counts"], owed.begun)):
        return Finding("invented", detail)
    return Finding("ok", detail)
