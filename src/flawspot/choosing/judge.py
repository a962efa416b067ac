"""Measures a detector without real defects, on defects pasted into good photographs.

The photographs are those that set the detector's threshold. It has not learned from them. Each is used unchanged, and
with defects of a family that no detector is trained on (`flawspot.data.judged_defects`). The ranking figure was fixed
before any comparison: `Judgement.rank`, the mean of image AUROC and pixel F1-max.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.data.folders import ImageFolder
from flawspot.data.judged_defects import KINDS, JudgedDefect, judged_defect, place_candidates
from flawspot.data.learned import resting_on
from flawspot.data.reading import at_centres
from flawspot.errors import DataError, FlawspotWarning, ImageError
from flawspot.metrics import Metrics, PixelScores, measure
from flawspot.progress import SILENT, Progress
from flawspot.runtime.detector import Detector
from flawspot.runtime.images import read_image
from flawspot.runtime.reduced import prepare

DEFECTS = 140
"""Least number of pasted defects for a judgement, each kind equally often. There are more if there are more
photographs."""
PHOTOGRAPHS = 60
"""Most good photographs for a judgement."""


@dataclass(frozen=True)
class Judgement:
    """The figures of a detector on pasted defects. Made by `judge`.

    Attributes:
        metrics: figures for the good photographs against the same ones with defects; see `flawspot.metrics`.
        recall: share of defects of each kind whose photograph scores above the 0.9 quantile of the good photographs'
            scores.
        photographs: number of good photographs used.
        defects: number of pasted defects.
    """

    metrics: Metrics
    recall: dict[str, float]
    photographs: int
    defects: int

    @property
    def rank(self) -> float:
        """The figure used for ranking: the mean of image AUROC and pixel F1-max, in 0..1."""
        return rank_of(self.metrics.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        return {"rank": self.rank, **dataclasses.asdict(self)}


def rank_of(metrics: dict[str, float | int | None]) -> float:
    """The mean of image AUROC and pixel F1-max. If one is unknown it is the other, and without both it is 0."""
    known = [float(value) for name in ("image_auroc", "pixel_f1_max") if (value := metrics[name]) is not None]
    return sum(known) / max(len(known), 1)


def judge(
    detector: Detector,
    photographs: Sequence[Path],
    *,
    seed: int = 0,
    defects: int = DEFECTS,
    progress: Progress = SILENT,
) -> Judgement:
    """Measure a detector on good photographs and on the same ones with pasted defects.

    The same photographs and seed give every detector the same defects.

    Args:
        detector: a detector that has not learned from `photographs`.
        photographs: photographs of good parts. At most `PHOTOGRAPHS` of them are used, drawn by the seed. Unreadable
            ones are left out.
        seed: seed of photographs and defects.
        defects: the least number of pasted defects.
        progress: told of the photographs.

    Raises:
        DataError: fewer than two of the photographs can be read.
        InspectionError: the detector fails on a photograph.
    """
    seen = _Seen()
    with PixelScores(good=12 << 20, defective=1 << 20) as pixels:
        shown = looked_at(detector, photographs, seed=seed, defects=defects)
        for one in progress.track(shown, "judging"):
            pixels.add(one.map, one.mask)
            seen.add(one.kind, one.score)
        if seen.good < 2:
            raise DataError(
                f"{seen.good} of {len(photographs)} held-out good photographs can be read, and at least two are needed "
                "to judge a detector: give more good photographs"
            )
        labels = np.array([kind is not None for kind in seen.kinds])
        figures = measure(
            np.array(seen.scores), None, labels, None, detector.manifest.calibration.threshold, pixels=pixels.curves()
        )
    return Judgement(figures, seen.recall(), seen.good, len(seen.kinds) - seen.good)


@dataclass(frozen=True)
class LookedAt:
    """A detector's result for a photograph, with the ground truth.

    Attributes:
        kind: kind of the pasted defect; None for an unchanged good photograph.
        score: score of the photograph.
        map: (h, w) float32, its anomaly map.
        mask: (h, w), where the defect is.
    """

    kind: str | None
    score: float
    map: NDArray[np.float32]
    mask: NDArray[np.bool_]


def looked_at(
    detector: Detector, photographs: Sequence[Path], *, seed: int = 0, defects: int = DEFECTS
) -> Iterator[LookedAt]:
    """Yield the results that `judge` measures, photograph by photograph, in the order of `pasted`.

    Raises:
        InspectionError: the detector fails on a photograph.
    """
    view, white = detector.manifest.view, detector.manifest.white
    with warnings.catch_warnings():
        # Warnings about the photograph's depth were given when it was read.
        warnings.simplefilter("ignore", FlawspotWarning)
        for image, mask, kind in pasted(photographs, seed=seed, defects=defects, white=white, view_of=detector):
            found = prepare(image, view)
            maps, scores = detector.run(found.pixels[None])
            place = view.placed(found.size)
            truth = at_centres(mask, (place.height, place.width))
            yield LookedAt(kind, float(scores[0]), view.over_photograph(maps[0], found.size), truth)


@dataclass
class _Seen:
    """Scores, and for each photograph the kind of its defect; None for a good one."""

    kinds: list[str | None] = dataclasses.field(default_factory=list)
    scores: list[float] = dataclasses.field(default_factory=list)

    @property
    def good(self) -> int:
        return sum(kind is None for kind in self.kinds)

    def add(self, kind: str | None, score: float) -> None:
        self.kinds.append(kind)
        self.scores.append(score)

    def recall(self) -> dict[str, float]:
        limit = np.quantile([score for kind, score in zip(self.kinds, self.scores, strict=True) if kind is None], 0.9)
        found = {
            name: [score > limit for kind, score in zip(self.kinds, self.scores, strict=True) if kind == name]
            for name in KINDS
        }
        return {name: float(np.mean(each)) for name, each in found.items() if each}


def pasted(
    photographs: Sequence[Path],
    *,
    seed: int,
    defects: int = DEFECTS,
    white: int = 65535,
    view_of: Detector | None = None,
    most: int = PHOTOGRAPHS,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_], str | None]]:
    """Yield good photographs, each followed by copies with defects: pixels (H, W, 3), mask (H, W), and kind of defect.

    Args:
        photographs: as for `judge`.
        seed: seed of photographs and defects.
        defects: the least number of defects.
        white: the white value of 16-bit photographs.
        view_of: a detector. The middle of a defect is never placed where it does not look.
        most: most photographs, drawn by the seed.
    """
    order = np.random.default_rng([seed, len(photographs)]).permutation(len(photographs))[:most]
    chosen = [photographs[row] for row in sorted(order)]
    each = max(-(-defects // max(len(chosen), 1)), 1)
    before: NDArray[np.uint8] | None = None
    for number, path in enumerate(chosen):
        try:
            image = read_image(path, white=white)
        except ImageError:
            continue
        yield image, np.zeros(image.shape[:2], np.bool_), None
        hidden = None if view_of is None else view_of.manifest.view.not_inspected((image.shape[1], image.shape[0]))
        places = place_candidates(image, None if hidden is None else ~hidden)
        for turn in range(each):
            made = made_defect(image, number * each + turn, seed, before, places)
            yield made.image, made.mask, made.kind
        before = image


def made_defect(
    image: NDArray[np.uint8],
    number: int,
    seed: int,
    other: NDArray[np.uint8] | None,
    places: tuple[NDArray[np.bool_], int] | None = None,
) -> JudgedDefect:
    """The defect with this number in a judgement. Kinds alternate."""
    drawn = int(np.random.default_rng([seed, number]).integers(2**31))
    return judged_defect(image, drawn, other, kind=KINDS[number % len(KINDS)], places=places)


def held_out(detector: Detector, folder: ImageFolder) -> list[Path]:
    """The good photographs that set the detector's threshold and that it has not learned from.

    Raises:
        DataError: there are none: its threshold comes from folds, or it was made from other photographs.
    """
    calibration = detector.manifest.calibration
    found = [] if calibration.folds else resting_on(folder.train, calibration)
    if not found:
        why = "its threshold comes from folds" if calibration.folds else "it was made from other photographs"
        raise DataError(f"no good photograph of {folder.root} was held out by the detector: {why}")
    return found
