"""Measure how late `flawspot drift` detects a slow change, and how often it is wrong.

    python benchmarks/drift.py --data FOLDER --work FOLDER [--methods padim patchcore] [--pictures 400] [--lines 3]

FOLDER is a product in the MVTec layout, of which only good training photographs are used, reduced to a shorter side of
`REDUCED` pixels. Every third is held out, the others train each method. A line is a stream of held-out photographs,
drawn with replacement and otherwise unchanged. After the first `STABLE` pictures, one corruption grows from severity 0
to 3 over `--pictures` pictures. Its direction is fixed for a line; noise is drawn again for each picture. The tests are
those of the command at the shipped threshold: anomalous pictures are skipped. Lines without a change come first:
`QUIET` of `QUIET_PICTURES` for scores, `LOOKED` of `LOOKED_PICTURES` for looks, and `ONCE` that see each held-out
photograph once. Only the last kind meets the assumption of the promise.
Photographs, detectors and figures are kept in WORK, so that an interrupted run continues.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows
from numpy.typing import NDArray
from PIL import Image

import flawspot
from flawspot.data.appearance import SIDE, Appearance
from flawspot.data.corruptions import corrupt_all, image_seed
from flawspot.data.drift_tests import DriftTests
from flawspot.data.folders import open_folder
from flawspot.runtime.drift import Drift, Share
from flawspot.runtime.images import read_image
from flawspot.runtime.reduced import Decoded, prepare

SETTINGS: dict[str, dict[str, Any]] = {"patchcore": {"bank_size": 4000}}
TESTS = ("scores", "looks", "verdicts")
CREEPING = ("brightness", "blur", "shift", "noise")
WORST = 3.0
HELD_OUT = 3
REDUCED = 224
"""The detector's size, by the rule by which it reduces itself: no corruption is weaker for it, and all is faster."""
STABLE = 60
"""Pictures before anything changes; the looks are held against the first 30."""
QUIET, QUIET_PICTURES = 50, 2000
ONCE = 200
LOOKED, LOOKED_PICTURES = 20, 500
RATE = 0.01


@dataclass
class Watched:
    """A detector with the tests of one line, and when they gave alarm.

    Attributes:
        scores, looks, verdicts: at which picture, from 0; None: not yet.
        told: what had changed most when looks gave alarm.
        anomalous: pictures that were called so before the first of these alarms, once something had begun to change.
    """

    detector: flawspot.Detector
    tests: DriftTests = field(init=False)
    scores: int | None = None
    looks: int | None = None
    verdicts: int | None = None
    told: str = ""
    anomalous: int = 0

    def __post_init__(self) -> None:
        self.tests = DriftTests.against(self.detector.manifest.calibration)

    def add(self, number: int, score: float, photograph: Decoded) -> None:
        """As the command does it with a picture."""
        anomalous = not score <= self.tests.scores.threshold
        self.tests.add(photograph, score, anomalous)
        alarms = self.tests.alarms
        if self.verdicts is None and alarms["verdicts"]:
            self.verdicts = number
        if self.scores is None and alarms["scores"]:
            self.scores = number
        if self.looks is None and alarms["looks"]:
            self.looks, self.told = number, self.tests.looks.changes[0].name
        unseen = self.scores is None and self.looks is None and self.verdicts is None
        if anomalous and unseen and number >= STABLE:
            self.anomalous += 1


def main() -> None:
    """Train, let corruptions creep in, watch lines without any, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=["padim", "patchcore"])
    parser.add_argument("--pictures", type=int, default=400, help="until severity 3")
    parser.add_argument("--lines", type=int, default=3, help="of each corruption, with seeds from 0 on")
    options = parser.parse_args()
    folder = open_folder(options.data)
    photographs = [_reduced(path, options.work / folder.name) for path in folder.train]
    good = [path for number, path in enumerate(photographs) if number % HELD_OUT]
    held_out = [path for number, path in enumerate(photographs) if not number % HELD_OUT]
    detectors = {}
    for method in options.methods:
        file = options.work / f"{folder.name}-{method}.onnx"
        if not file.exists():
            settings = SETTINGS.get(method)
            flawspot.train(good, method=method, settings=settings, false_alarm_rate=RATE, output=file)
        detectors[method] = flawspot.load(file)
    kept = KeptRows(options.work / f"{folder.name}.jsonl")
    stream = [read_image(path) for path in held_out]
    for row in _missing(kept.rows, options.lines, stream, detectors, options.pictures):
        kept.add(row)
    print(f"{len(good)} photographs trained each method, {len(held_out)} were held out")
    print_creeping(kept.rows, options.methods, options.pictures)
    print_quiet(kept.rows, options.methods)


def _reduced(path: Path, folder: Path) -> Path:
    """The photograph's copy in `folder`."""
    copy = folder / f"{path.stem}.png"
    if not copy.exists():
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(read_image(path))
        share = min(REDUCED / min(image.size), 1.0)
        size = round(share * image.width), round(share * image.height)
        image.resize(size, Image.Resampling.BILINEAR).save(copy)
    return copy


def _missing(
    rows: Sequence[dict[str, Any]],
    lines: int,
    photographs: Sequence[NDArray[np.uint8]],
    detectors: dict[str, flawspot.Detector],
    pictures: int,
) -> Iterator[dict[str, Any]]:
    """Figures that are not stored yet, as they come."""
    if not any(row["line"] == "quiet looks" for row in rows):
        yield from quiet(photographs, detectors)
        yield quiet_looks(photographs)
    for seed in range(lines):
        for name in CREEPING:
            if not any((row["line"], row.get("seed")) == (name, seed) for row in rows):
                yield from creeping(photographs, detectors, name, seed, pictures)


def creeping(
    photographs: Sequence[NDArray[np.uint8]],
    detectors: dict[str, flawspot.Detector],
    name: str,
    seed: int,
    pictures: int,
) -> Iterator[dict[str, Any]]:
    """One line, until every test of every detector has given alarm or its pictures are at an end."""
    watched = {method: Watched(detector) for method, detector in detectors.items()}
    order = np.random.default_rng([seed, *name.encode()]).integers(len(photographs), size=STABLE + pictures)
    for number, index in enumerate(order):
        image = photographs[index]
        severity = WORST * max(number - STABLE, 0) / pictures
        if severity:
            own = image_seed(seed, f"{name} {number}") if name == "noise" else seed
            image = corrupt_all(image, {name: severity}, own)
        for each in watched.values():
            photograph = prepare(image, each.detector.manifest.view)
            each.add(number, float(each.detector.run(photograph.pixels[None])[1][0]), photograph)
        if all(each.scores is not None and each.looks is not None for each in watched.values()):
            break  # the share of anomalous parts may never change
    for method, each in watched.items():
        found = {key: getattr(each, key) for key in (*TESTS, "told", "anomalous")}
        yield {"line": name, "seed": seed, "method": method, **found}


def quiet(
    photographs: Sequence[NDArray[np.uint8]], detectors: dict[str, flawspot.Detector]
) -> Iterator[dict[str, Any]]:
    """Lines on which nothing changes: by how many the scores gave alarm."""
    for method, detector in detectors.items():
        view, calibration = detector.manifest.view, detector.manifest.calibration
        scores = [float(detector.run(prepare(image, view).pixels[None])[1][0]) for image in photographs]
        drawn = [np.random.default_rng([s, 1]).integers(len(scores), size=QUIET_PICTURES) for s in range(QUIET)]
        once = [np.random.default_rng([s, 2]).permutation(len(scores)) for s in range(ONCE)]
        anomalous = int(sum(score > calibration.threshold for score in scores))
        told = {"scores": _alarms(detector, scores, drawn), "scores once": _alarms(detector, scores, once)}
        called = [score > calibration.threshold for score in scores]
        told["verdicts"] = sum(_share_alarms(called, order) for order in drawn)
        yield {"line": "quiet", "method": method, **told, "anomalous": anomalous, "held out": len(scores)}


def _alarms(detector: flawspot.Detector, scores: Sequence[float], orders: Sequence[NDArray[np.int64]]) -> int:
    """In how many lines, each an order of the scores."""
    calibration, count = detector.manifest.calibration, 0
    for seed, order in enumerate(orders):
        test = Drift(calibration.as_taken, calibration.threshold, seed=seed)
        for index in order:
            test.add(scores[index])
        count += test.alarm
    return count


def _share_alarms(anomalous: Sequence[bool], order: NDArray[np.int64]) -> bool:
    """Whether the share of anomalous parts gives an alarm in one line."""
    share = Share()
    for index in order:
        share.add(anomalous[index])
    return share.alarm


def quiet_looks(photographs: Sequence[NDArray[np.uint8]]) -> dict[str, Any]:
    """The same of looks, to which the detector is nothing."""
    small = [_small(image) for image in photographs]
    alarms = 0
    for seed in range(LOOKED):
        appearance = Appearance()
        for index in np.random.default_rng([seed, 3]).integers(len(small), size=LOOKED_PICTURES):
            appearance.add(small[index])
        alarms += bool(appearance.changes)
    return {"line": "quiet looks", "alarms": alarms}


def _small(image: NDArray[np.uint8]) -> Decoded:
    """A photograph at the size at which looks are measured, which is all that they need."""
    grey = Image.fromarray(image).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    whole = prepare(image, SIDE)
    return dataclasses.replace(whole, pixels=np.repeat(np.asarray(grey)[:, :, None], 3, axis=2), view=None)


def print_creeping(rows: Sequence[dict[str, Any]], methods: Sequence[str], pictures: int) -> None:
    """Median and range over lines, counted from the picture at which the change began."""
    print(f"\n| detector | creeping | {' | '.join(f'{what}: pictures | severity' for what in TESTS)} "
          "| told first | called anomalous before |")  # fmt: skip
    print(f"|:--|:--|{'--:|' * 2 * len(TESTS)}:--|--:|")
    for method in methods:
        for name in CREEPING:
            lines = [row for row in rows if (row["line"], row.get("method")) == (name, method)]
            cells = []
            for what in TESTS:
                after = [None if row[what] is None else row[what] - STABLE for row in lines]
                cells += [
                    _summary(after, lambda n: f"{n:.0f}"),
                    _summary(after, lambda n: f"{WORST * max(n, 0) / pictures:.1f}"),
                ]
            told = dict.fromkeys(row["told"] for row in lines if row["told"])
            names = ", ".join(f"{each} ({sum(row['told'] == each for row in lines)})" for each in told)
            cells += [names or "nothing", _summary([row["anomalous"] for row in lines], lambda n: f"{n:.0f}")]
            print(f"| {method} | {name} | {' | '.join(cells)} |")


def _summary(values: Sequence[int | None], text: Callable[[float], str]) -> str:
    """Median and range; how many of the lines have none."""
    there = sorted(value for value in values if value is not None)
    lacking = len(values) - len(there)
    if not there:
        return "none"
    found = f"{text(float(np.median(there)))} ({text(there[0])} to {text(there[-1])})"
    return found + (f", {lacking} of {len(values)} none" if lacking else "")


def print_quiet(rows: Sequence[dict[str, Any]], methods: Sequence[str]) -> None:
    """Alarms where nothing changed."""
    print(f"\n| detector | held-out photographs called anomalous | alarms in {QUIET} lines of {QUIET_PICTURES:,} "
          f"| alarms in {ONCE} lines that see each photograph once | of the share, in {QUIET} lines |")  # fmt: skip
    print(f"|:--|{'--:|' * 4}")
    for row in rows:
        if row["line"] == "quiet" and row["method"] in methods:
            called = f"{row['anomalous']} of {row['held out']}"
            print(f"| {row['method']} | {called} | {row['scores']} | {row['scores once']} | {row['verdicts']} |")
    for row in rows:
        if row["line"] == "quiet looks":
            print(f"\nLooks gave alarm in {row['alarms']} of {LOOKED} lines of {LOOKED_PICTURES}")


if __name__ == "__main__":
    main()
