# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""Records lives, cuts images of them, has them checked and keeps account."""

import collections
import concurrent.futures
import dataclasses
import itertools
import json
import random
import re
import shutil
import time

import device_log
import recording
from checking import (AS_POSIX, MODES, NEVER, UNMOUNTABLE, Checker, Finding,
                      Variant)
from device_log import Promise

SECOND_BOOT = "5ec0d000-0000-4000-8000-0123456789ab"


@dataclasses.dataclass
class Image:
    """One crash image, with all it takes to check it."""
    number: int
    life: recording.Life
    owed: Promise
    text: str
    path: object
    variants: list


@dataclasses.dataclass
class Failure:
    image: Image
    variant: Variant
    finding: Finding
    kept: object = None


class Campaign:
    """One run."""

    def __init__(self, options, tools, memory, root):
        self.options = options
        self.tools = tools
        self.memory = memory
        self.root = root
        self.began = time.monotonic()
        self.random = random.Random(options.seed)
        self.counts = collections.Counter()
        self.failures = []
        self.kept = collections.Counter()
        self.numbers = itertools.count()
        self.images = self.opens = 0

    def say(self, text):
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", flush=True)

    def run(self):
        options = self.options
        if options.replay:
            return self.replay(options.replay)
        self.say(f"seed {options.seed}")
        if options.self_test:
            return self.self_test()
        preextends = {"both": ("on", "auto")}.get(options.preextend,
                                                  (options.preextend,))
        systems = ("ext4", "xfs") if options.fs == "both" else (options.fs,)
        workloads = options.workload or list(recording.WORKLOADS)
        kinds = list(itertools.product(systems, preextends, workloads))
        if not options.no_posix:
            posix = list(itertools.product(systems, (None,), workloads))
            self.spread(posix, (options.images + 1) // 2)
        self.spread(kinds, options.images)
        return self.report()

    def spread(self, kinds, images):
        """As many images of each kind. Where there are fewer images than
        kinds times a few, a choice of kinds."""
        few = min(5, self.options.per_recording)
        if images < few * len(kinds):
            # Evenly over the list, shifted by the seed.
            count = max(1, images // few)
            first = self.random.randrange(len(kinds))
            kinds = [kinds[(first + i * len(kinds) // count) % len(kinds)]
                     for i in range(count)]
        for number, (fs, preextend, workload) in enumerate(kinds):
            share = images * (number + 1) // len(kinds) - \
                images * number // len(kinds)
            while share > 0:
                part = min(share, self.options.per_recording)
                life = recording.draw_life(
                    fs, workload, self.random.randrange(1 << 30), preextend,
                    self.random)
                self.one_recording(life, part)
                share -= part

    def one_recording(self, life, images):
        folder = self.memory / f"recording{next(self.numbers)}"
        folder.mkdir()
        base = folder / "base"
        before = None
        is_second = "recut" in life.flags
        first = life
        if is_second:
            life = dataclasses.replace(life, boot=SECOND_BOOT)
        while True:
            recording.make_file_system(life.fs, life.births, base)
            if is_second:
                before = self.first_cut(first, base, folder)
            recorder = recording.Recording(self.tools, life, base, folder)
            try:
                log = recorder.record()
                break
            except recording.CannotMount as error:
                if not is_second:
                    raise
                # The file system's own sectors are torn, too.
                self.say(f"another first cut: {error}")
        bad = len(self.failures)
        cutter = device_log.Cutter(log, base)
        jobs = self.options.jobs
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            waiting = set()
            for point in self.points(log, images):
                if len(waiting) >= 2 * jobs:
                    done, waiting = concurrent.futures.wait(
                        waiting,
                        return_when=concurrent.futures.FIRST_COMPLETED)
                    for future in done:
                        self.account(*future.result())
                image = self.cut(cutter, life, point, recorder.loop, before)
                waiting.add(pool.submit(self.check, image, folder))
            for future in waiting:
                self.account(*future.result())
        self.say(f"{images} images of {life}: {log.length} log entries, "
                 f"{len(log.acks)} acknowledgements, "
                 + (f"owed after {log.bound_us} us, " if log.bound_us else "") +
                 f"{len(self.failures) - bad} findings")
        recording.remove(folder)

    def first_cut(self, life, base, folder):
        """Makes `base` what a cut leaves of a first life. What is owed."""
        recorder = recording.Recording(self.tools, life, base, folder)
        log = recorder.record()
        image = folder / "first_cut"
        point = self.points(log, 1)[0]
        self.say("first " + device_log.Cutter(log, base).cut(
            point, self.style(), self.random, image))
        image.rename(base)
        return device_log.promise(log, point, life.threads)

    def style(self):
        return self.random.choices(list(device_log.STYLES),
                                   device_log.STYLES.values())[0]

    def points(self, log, images):
        """Half behind acknowledgements, half anywhere behind the first; of a
        second life, also anywhere while it begins."""
        acks = [time for time, _ in log.acks]
        first = acks[0] + 1
        if log.acks[0][1] != "open " + "0," * log.acks[0][1].count(","):
            first = 0 if self.random.random() < 0.5 else first
        return sorted(self.random.choice(acks) + 1
                      if self.random.random() < 0.4
                      else self.loose_point(log, first)
                      for _ in range(images))

    def loose_point(self, log, first):
        """Anywhere, preferably where a cut can tear something."""
        for _ in range(self.random.choice((1, 20, 20, 20))):
            point = self.random.randrange(first, log.length + 1)
            if log.loose_at(point) > 0:
                break
        return point

    def cut(self, cutter, life, point, loop, before):
        number = next(self.numbers)
        path = cutter.base.parent / f"image{number}"
        text = cutter.cut(point, self.style(), self.random, path)
        owed = device_log.promise(cutter.log, point, life.threads, before)
        return Image(number, life, owed, text, path,
                     self.variants(life, loop))

    def variants(self, life, loop):
        loop = loop if self.random.random() < 0.5 else ""
        if not life.uri:
            return [Variant("posix", mode, "same", loop) for mode in MODES]
        boots = ("other", "same") if self.options.boot == "both" \
            else (self.options.boot,)
        variants = [Variant("uringfs", mode, boot, loop)
                    for boot in boots for mode in MODES]
        if self.random.random() < 0.25:
            boot = self.random.choice(boots)
            variants += [Variant("recover", mode, boot, loop)
                         for mode in MODES]
        return variants

    def check(self, image, folder):
        at = folder / f"at{image.number}"
        at.mkdir()
        checker = Checker(self.tools, at, folder / f"boot{image.number}")
        found = [(variant, checker.check(image.path, image.life, image.owed,
                                         variant))
                 for variant in image.variants]
        return image, found

    def account(self, image, found):
        self.images += 1
        for variant, finding in found:
            self.opens += 1
            self.counts[(image.life.fs, variant.who, preextend(image.life),
                         image.life.workload, variant.boot, variant.mode,
                         finding.outcome)] += 1
            if finding.outcome == "ok":
                continue
            failure = Failure(image, variant, finding)
            self.failures.append(failure)
            kind = kind_of(failure)
            if variant.who != "posix" and \
                    self.kept[kind] < self.options.keep and \
                    not self.options.self_test:
                self.kept[kind] += 1
                failure.kept = self.keep(failure)
        image.path.unlink()

    def keep(self, failure):
        """Saves the image and what is needed to look at it again."""
        image, variant = failure.image, failure.variant
        folder = self.root / (f"power_cut_failure.{self.options.seed}."
                              f"{image.number}.{variant.who}.{variant.boot}."
                              f"{variant.mode}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        device_log.sparse_copy(image.path, folder / "image")
        (folder / "facts.json").write_text(json.dumps({
            "life": dataclasses.asdict(image.life),
            "owed": dataclasses.asdict(image.owed), "text": image.text,
            "variant": dataclasses.asdict(variant),
            "finding": dataclasses.asdict(failure.finding)}, indent=1))
        return folder

    def replay(self, folder):
        known = json.loads((folder / "facts.json").read_text())
        life = recording.Life(**known["life"])
        variant = Variant(**known["variant"])
        at = self.memory / "at"
        at.mkdir()
        checker = Checker(self.tools, at, self.memory / "boot")
        print(f"{life}\n{known['text']}\nat first: {known['finding']}")
        print(checker.facts(folder / "image", life, variant))
        finding = checker.check(folder / "image", life,
                                Promise(**known["owed"]), variant)
        print(f"now: {finding.outcome}: {finding.detail}")
        return finding.outcome == "ok"

    def self_test(self):
        """Posix, with puts that are called synced and were not."""
        life = recording.draw_life("ext4", "mixed", self.options.seed, None,
                                   self.random, lie=True)
        self.one_recording(dataclasses.replace(life, syncfs=False), 8)
        lost = sum(f.finding.outcome == "lost" for f in self.failures)
        self.say(f"self test: {lost} of {self.opens} findings are losses")
        return lost > 0

    def report(self):
        """The tables; true if nothing is wrong."""
        posix = collections.Counter()
        for key, count in self.counts.items():
            if key[1] == "posix":
                posix[(key[0], key[5], key[6])] += count
        wrong = [f for f in self.failures if self.is_wrong(f, posix)]
        self.tables()
        kinds = collections.Counter(
            (*kind_of(f), "" if f in wrong else "(allowed)")
            for f in self.failures)
        for kind, count in sorted(kinds.items()):
            print(f"{count:6d} times: {' '.join(kind)}")
        cannot = sum(f.finding.outcome == UNMOUNTABLE
                     for f in self.failures)
        if cannot > self.opens // 50:
            raise recording.HarnessError(
                f"{cannot} of {self.opens} images cannot be mounted")
        self.say(f"{self.images} images, opened {self.opens} times; "
                 f"{len(wrong)} openings are not as they must be")
        shown = collections.Counter()
        for failure in wrong:
            variant, finding = failure.variant, failure.finding
            kind = kind_of(failure)
            shown[kind] += 1
            if shown[kind] > self.options.keep and failure.kept is None:
                continue
            print(f"\n{finding.outcome}: {variant.who}, {variant.mode}, "
                  f"{variant.boot} boot id; {failure.image.life}\n"
                  f"  {failure.image.text}\n  {finding.detail}")
            if failure.kept:
                print(f"  {recording_command(self.options)} "
                      f"--replay={failure.kept}")
        return not wrong

    def is_wrong(self, failure, posix):
        outcome = failure.finding.outcome
        if outcome == UNMOUNTABLE:
            return False  # what the file system has to answer for
        if failure.variant.who == "posix":
            return outcome in NEVER
        if outcome in AS_POSIX and not self.options.no_posix:
            return posix[(failure.image.life.fs, failure.variant.mode,
                          outcome)] == 0
        return True

    def tables(self):
        rows = collections.defaultdict(collections.Counter)
        for key, count in self.counts.items():
            rows[key[:5]][key[5:]] += count
        print(f"\n{'file system, opened by, preextend, workload, boot id':58s}"
              + "".join(f"{mode:>22s}" for mode in MODES))
        for row, cells in sorted(rows.items()):
            print(f"{' '.join(f'{word:10s}' for word in row):58s}"
                  + "".join(f"{cell(cells, mode):>22s}" for mode in MODES))
        print()


def kind_of(failure):
    """Failures of one kind are much alike."""
    words = re.sub(r"[^A-Za-z ].*", "", failure.finding.detail.rpartition(
        "]: ")[2].replace("Corruption: ", "")).strip()
    return (failure.image.life.fs, failure.variant.who, failure.variant.boot,
            failure.variant.mode, failure.finding.outcome, words)


def preextend(life):
    for part in life.uri.split("&"):
        if "wal_preextend=" in part:
            return part.rpartition("=")[2]
    return "-"


def cell(cells, mode):
    parts = [f"{cells[(mode, word)]} {word}"
             for word in ("ok", *NEVER, *AS_POSIX, UNMOUNTABLE)
             if cells[(mode, word)] > 0]
    return ", ".join(parts)


def recording_command(options):
    return f"test/power_cut/run --build={options.build}"
