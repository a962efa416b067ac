"""Defects pasted one after the other, and whether the detector finds each.

A pasted defect is *found* where the photograph with it is called anomalous at the detector's threshold and a place of
the map above the threshold lies on the defect or within `TOLERANCE` of it.

A trial is a photograph, a place, a direction and a sign, the same for every size and contrast, so that a curve shows
what size and contrast do and not where the defects happened to lie.
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
"""As a share of the photograph's shorter side: as far as a map, which is smoothed, may be beside the defect."""
_EXCERPT = 240
"""Pixels of the side of a picture of a defect."""

Key = tuple[str, int, int, float]
"""Kind, length, width and contrast."""


@dataclass(frozen=True)
class Example:
    """What one of the pasted defects looks like.

    Attributes:
        key: its kind, length, width and contrast.
        picture: of it and what lies around.
        is_found: whether the detector has found this one.
    """

    key: Key
    picture: Image.Image
    is_found: bool


@dataclass
class Seen:
    """Good photographs as they are.

    Attributes:
        sizes: (width, height) of those that are called good, at most one for each trial.
        map_side: of the detector's map, the longer one.
        skipped: those that could not be read or inspected, with the reason.
        false_alarms: those that are called anomalous.
    """

    sizes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    map_side: int = 1
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    false_alarms: list[Path] = field(default_factory=list)


@dataclass
class Tried:
    """What is counted while defects are pasted.

    Attributes:
        detector: that looks.
        trials: of each kind, size and contrast.
        levels: the contrasts, ascending.
        seed: of places, directions and signs.
        counts: how many were found.
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
        # In every photograph the largest must have room.
        side = min(min(size) for size in seen.sizes.values())
        self.counts = {
            (kind, *size, level): 0
            for kind in KINDS
            for level in self.levels
            for size in ladder(kind, side, seen.map_side)
        }
        total = len(self.counts) * self.trials
        with warnings.catch_warnings():
            # What there is to say of the depth of a photograph was said when it was read; here it is of 8 bits.
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
    """Whether the detector has found the defect; see the module."""
    marked = above(prediction.map, prediction.calibration.region_threshold)
    if not prediction.is_anomalous or not marked.any():
        return False
    width, height = prediction.image_size
    cell_height, cell_width = height / marked.shape[0], width / marked.shape[1]
    rows, columns = np.nonzero(marked)
    distance = defect.distance((rows + 0.5) * cell_height, (columns + 0.5) * cell_width)
    # Centres of the map's pixels are looked at, so that where these are large they are part of the tolerance.
    return bool(distance.min() <= max(TOLERANCE * min(width, height), float(np.hypot(cell_height, cell_width))))
