"""A campaign: cases of every kind in turn, from one seed, until the time is over; counts and failures are kept."""

from __future__ import annotations

import random
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import features

from fuzzing import artifacts, grids, photographs
from fuzzing.artifacts import Base
from fuzzing.child_process import Child
from fuzzing.handmade import HandMade
from fuzzing.limits import ACCEPTED, CPU_SECONDS, FAILURES, MEMORY, REFUSED, Outcome

SMALL = 64 << 10
"""Bytes of a failing case up to which it is kept in the repository."""
_ALIKE = 2
"""Failures that look alike and are kept."""

_BUILT_IN = {"JPEG2000": "jpg_2000", "AVIF": "avif"}
FORMATS = (
    *("PNG", "JPEG", "MPO", "BMP", "TIFF", "WEBP", "PPM", "GIF"),
    *(form for form, feature in _BUILT_IN.items() if features.check(feature)),
)
KINDS = (*artifacts.KINDS, "manifest", "grid", *(f"photograph, {form}" for form in FORMATS))


@dataclass
class Result:
    """What is known so far.

    Attributes:
        counts: cases by kind and outcome.
        failures: a line for each.
        cpu, megabytes: of the worst case of each kind.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)

    def table(self) -> str:
        """Kind by outcome, in Markdown."""
        heads = [REFUSED, ACCEPTED, *(what for what in FAILURES if any(w == what for _, w in self.counts))]
        lines = ["| kind | cases | " + " | ".join([*heads, "CPU seconds, at most", "MB, at most"]) + " |"]
        lines.append("|:--|" + "--:|" * (len(heads) + 3))
        kinds = list(dict.fromkeys(kind for kind, _ in self.counts))
        rows = [(kind, [self.counts[kind, head] for head in heads]) for kind in sorted(kinds)]
        rows.append(("all", [sum(column) for column in zip(*(row for _, row in rows), strict=True)]))
        for kind, row in rows:
            chosen = kinds if kind == "all" else [kind]
            cpu, memory = (max(worst.get(each, 0) for each in chosen) for worst in (self.cpu, self.megabytes))
            cells = [kind, sum(row), *row, f"{cpu:.1f}", f"{memory:.0f}"]
            lines.append("| " + " | ".join(f"{c:,}" if isinstance(c, int) else str(c) for c in cells) + " |")
        return "\n".join(lines)


class Campaign:
    """Tries cases and gathers what came of them.

    Args:
        detectors: artifacts that are right; they are mutated, and look at mutated photographs.
        keep: the folder for failing cases; large ones go into ``large`` in it.
    """

    def __init__(self, detectors: Sequence[Path], keep: Path, *, kinds: Sequence[str] = KINDS) -> None:
        self.result = Result()
        self._bases = [artifacts.base(path) for path in detectors]
        self._keep = keep
        self._kinds = kinds
        self._lock = threading.Lock()
        self._alike: Counter[tuple[str, ...]] = Counter()

    def run(self, seed: int, *, seconds: float, jobs: int = 1, most: int | None = None) -> Result:
        """Try cases for so many `seconds`, or `most` of each kind and job."""
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._work, args=(seed, job, jobs, end, most)) for job in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.result

    def by_hand(self, made: HandMade) -> None:
        """Try a case made by hand, in a child of its own, so that its memory is its own."""
        with tempfile.TemporaryDirectory() as folder, Child(Path(folder)) as child:
            outcome = made.tried(child, Path(folder), self._bases[0].path)
        if outcome.cpu > CPU_SECONDS / 3 or outcome.megabytes > MEMORY / 2:
            print(f"{made.name}: {outcome.what}, {outcome.cpu:.1f} s, {outcome.megabytes:.0f} MB", flush=True)
        self._note(f"by hand, {made.name.split(':')[0]}", made.name, None, outcome)

    def _work(self, seed: int, job: int, jobs: int, end: float, most: int | None) -> None:
        with tempfile.TemporaryDirectory() as folder, Child(Path(folder)) as child:
            index = job
            while most is None or index < most:
                for kind in self._kinds:
                    if time.monotonic() > end:
                        return
                    self._one(child, kind, seed, index)
                index += jobs

    def _one(self, child: Child, kind: str, seed: int, index: int) -> None:
        base = self._bases[index % len(self._bases)]
        data = made(kind, base, seed, index)
        target = target_of(kind)
        self._note(kind, f"{seed}-{index}", data, child.tried(target, data, base.path))

    def _note(self, kind: str, number: str, data: bytes | None, outcome: Outcome) -> None:
        with self._lock:
            result = self.result
            result.counts[kind, outcome.what] += 1
            result.cpu[kind] = max(result.cpu.get(kind, 0), outcome.cpu)
            result.megabytes[kind] = max(result.megabytes.get(kind, 0), outcome.megabytes)
            if not outcome.is_failure:
                return
            alike = (target_of(kind), outcome.what, re.sub(r"\d+|'[^']*'", "", outcome.detail)[:80])
            self._alike[alike] += 1
            where = ""
            if data is not None and self._alike[alike] <= _ALIKE:
                where = str(self._kept(kind, number, data))
            line = f"{kind}, {number}: {outcome.what}: {outcome.detail} {where}"
            result.failures.append(line)
            print(line, flush=True)

    def _kept(self, kind: str, number: str, data: bytes) -> Path:
        folder = self._keep if len(data) <= SMALL else self._keep / "large"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{kind.replace(', ', '_').replace(' ', '-')}_{number}"
        path.write_bytes(data)
        return path


def target_of(kind: str) -> str:
    """The target of a case, by its kind or the name of its file."""
    return re.split(r"[,_ ]", kind)[0]


def made(kind: str, base: Base, seed: int, index: int) -> bytes:
    """The case of that number; the same everywhere for the same versions of Pillow and onnx."""
    rng = random.Random(f"{seed} {kind} {index}")
    if kind in artifacts.KINDS:
        return artifacts.case(kind, base, rng)
    if kind == "manifest":
        return artifacts.manifest_text(base, rng)
    if kind == "grid":
        return grids.case(rng)
    form = kind.rpartition(" ")[2]
    names = [name for name in photographs.seeds() if name.split()[0] == form]
    return photographs.case(rng.choice(names), rng)
