"""Pastes defects one by one, and checks whether the detector finds each.

A pasted defect is *found* if two conditions hold. The photograph with it is called anomalous at the detector's
threshold, and a place of the map above the threshold is on the defect or within `TOLERANCE` of it.

A trial is a photograph, a place, a direction and a sign. It is the same for every size and contrast, so a curve shows
the effect of size and contrast, not of chance places.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from flawspot.errors import FlawspotWarning
from flawspot.progress import Progress
from flawspot.runtime.detector import Detector
from flawspot.runtime.found_sizes import KINDS
from flawspot.runtime.images import read_image
from flawspot.runtime.prediction import Prediction
from flawspot.runtime.regions import above
from flawspot.smallest.defects import Defect, at, excerpt, ladder, pasted, places

TOLERANCE = 1 / 32
"""As a share of the photograph's shorter side. A smoothed map may be beside the defect by so much."""
_EXCERPT = 240
"""Side of a defect's picture, in pixels."""

Key = tuple[str, int, int, float]
"""Kind, length, width and contrast."""


@dataclass(frozen=True)
class Example:
    """A picture of a pasted defect.

    Attributes:
        key: its kind, length, width and contrast.
        picture: the picture with its surroundings.
        is_found: whether the detector has found it.
    """

    key: Key
    picture: Image.Image
    is_found: bool


@dataclass
class Seen:
    """Good photographs without defects.

    Attributes:
        sizes: (width, height) of those called good, at most one for each trial.
        map_side: longer side of the detector's map.
        skipped: those that could not be read or inspected, with the reason.
        false_alarms: those that are called anomalous.
    """

    sizes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    map_side: int = 1
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    false_alarms: list[Path] = field(default_factory=list)


@dataclass
class Tried:
    """Counts the found defects.

    Attributes:
        detector: the detector.
        trials: number of trials for each kind, size and contrast.
        levels: the contrasts, ascending.
        seed: seed of places, directions and signs.
        counts: the numbers found.
        examples: see `Example`.
    """

    detector: Detector
    trials: int
    levels: list[float]
    seed: int
    counts: dict[Key, int] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)

    def run(self, seen: Seen, progress: Progress) -> None:
        """Try every kind, size and contrast in every trial."""
        # The largest defect must fit into every photograph.
        side = min(min(size) for size in seen.sizes.values())
        self.counts = {
            (kind, *size, level): 0
            for kind in KINDS
            for level in self.levels
            for size in ladder(kind, side, seen.map_side)
        }
        total = len(self.counts) * self.trials
        with warnings.catch_warnings():
            # Warnings about the photograph's depth were given when it was read; the copy here has 8 bits.
            warnings.simplefilter("ignore", FlawspotWarning)
            for key, is_found in progress.track(self._each(list(seen.sizes)), "pasting defects", total):
                self.counts[key] += is_found

    def _each(self, paths: list[Path]) -> Iterator[tuple[Key, bool]]:
        for number, path in enumerate(paths):
            image = read_image(path, white=self.detector.manifest.white)
            generators = [np.random.default_rng([self.seed, trial]) for trial in range(number, self.trials, len(paths))]
            hidden = self.detector.manifest.view.not_inspected((image.shape[1], image.shape[0]))
            for nth, place in enumerate(places(image, generators, hidden)):
                for key in self.counts:
                    kind, length, width, level = key
                    defect = at(place, kind, (length, width), level, image.shape)
                    with pasted(image, defect):
                        is_found = shows(self.detector.predict(image, keep_image=False), defect)
                        if number == nth == 0 and level == self.levels[len(self.levels) // 2]:
                            self.examples.append(Example(key, excerpt(image, defect, _EXCERPT), is_found))
                    yield key, is_found


def shows(prediction: Prediction, defect: Defect) -> bool:
    """Whether the detector has found the defect; see the module's description."""
    marked = above(prediction.map, prediction.calibration.region_threshold)
    if not prediction.is_anomalous or not marked.any():
        return False
    width, height = prediction.image_size
    cell_height, cell_width = height / marked.shape[0], width / marked.shape[1]
    rows, columns = np.nonzero(marked)
    distance = defect.distance((rows + 0.5) * cell_height, (columns + 0.5) * cell_width)
    # The centres of the map's pixels are compared, so for large pixels their size is part of the tolerance.
    return bool(distance.min() <= max(TOLERANCE * min(width, height), float(np.hypot(cell_height, cell_width))))
