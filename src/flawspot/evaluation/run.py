"""Measures the shipped artifact on a labelled test set that it has never seen."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flawspot.data.folders import Data, ImageFolder, Sample, open_data, read_sample_mask
from flawspot.data.learned import as_tested, check_unread, without_what_was_learned
from flawspot.data.reading import at_centres
from flawspot.data.samples import name_below
from flawspot.errors import DataError, FlawspotError, ImageError
from flawspot.evaluation.ranked_pixels import RankedPixels
from flawspot.metrics import Metrics, PixelMetrics, measure
from flawspot.metrics.measure import NO_MASKS
from flawspot.progress import Progress, as_progress
from flawspot.runtime.artifact import Artifact
from flawspot.runtime.detector import Detector, load
from flawspot.runtime.images import read_image
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.reduced import prepare
from flawspot.runtime.view import View

MEMORY = 1 << 30
"""Default limit in bytes for the scores of pixels: 4000 maps of 224 x 224. A smaller set takes less."""

_Value = TypeVar("_Value", np.float32, np.bool_)

Alteration = Callable[[Sample, NDArray[np.uint8], NDArray[np.bool_]], tuple[NDArray[np.uint8], NDArray[np.bool_]]]
"""Changes a test photograph (H, W, 3) and its mask (H, W) before the detector sees it."""


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The figures of one detector on one test set. Made by `evaluate`.

        >>> evaluation
        Evaluation(8 images: image AUROC 1.000, pixel AUROC 1.000; at the threshold: recall 1.000, false alarms 0.000)
        >>> evaluation.metrics.image_recall
        1.0

    Attributes:
        metrics: at image and pixel level; see `flawspot.metrics`.
        samples: the test images that could be read, in the order of `scores`.
        scores: score of each.
        skipped: test images that could not be read, with the reason.
        data: the photographs: how the folders were read, and what was left out.
        threshold: the detector's threshold; a photograph is anomalous if its score is above it.
        maps: (N, S, S) float32, the anomaly map of each of the `samples`; None unless asked for. With another geometry
            they have the size of the canvas. Maps of different sizes are stretched to it.
        masks: bool of the same shape, True on defects; None unless asked for, or without ground truth.
        at_mask_size: the pixel figures with each map resized to its photograph's mask; None unless asked for, or
            without masks.
    """

    metrics: Metrics
    samples: tuple[Sample, ...]
    scores: tuple[float, ...]
    skipped: tuple[tuple[Path, str], ...]
    data: ImageFolder
    threshold: float
    maps: NDArray[np.float32] | None = None
    masks: NDArray[np.bool_] | None = None
    at_mask_size: PixelMetrics | None = None

    def __repr__(self) -> str:
        metrics = self.metrics
        at_threshold = _figures(recall=metrics.image_recall, false_alarms=metrics.image_false_alarm_rate)
        skipped = f"; {len(self.skipped)} unreadable" if self.skipped else ""
        return (
            f"Evaluation({metrics.images} images: "
            f"{_figures(image_AUROC=metrics.image_auroc, pixel_AUROC=metrics.pixel_auroc)}; "
            f"at the threshold: {at_threshold}{skipped})"
        )

    @property
    def undefined(self) -> dict[str, str]:
        """Why a figure of the `metrics` is None, by its name, in a few words."""
        told = self.metrics.undefined
        defective = [sample for sample in self.samples if sample.is_defective]
        without = [sample for sample in defective if sample.mask is None]
        reason = "there are no masks"
        if len(without) < len(defective):
            first = name_below(without[0].path, self.data.root) if without else ""
            reason = f"{len(without)} of {len(defective)} defective photographs have no mask, such as {first}"
        return {name: reason if why == NO_MASKS and without else why for name, why in told.items()}


def _figures(**figures: float | None) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {'undefined' if value is None else f'{value:.3f}'}"
        for name, value in figures.items()
    )


def evaluate(
    detector: str | os.PathLike[str] | Artifact | Detector,
    data: Data,
    *,
    good: str | Sequence[str] = (),
    strict: bool = False,
    pixels: bool = True,
    memory: int = MEMORY,
    alter: Alteration | None = None,
    keep_maps: bool = False,
    mask_size: bool = False,
    progress: Progress | bool = True,
) -> Evaluation:
    """Run a detector on the test photographs of `data` and measure it.

        >>> flawspot.evaluate("part.onnx", "photos", progress=False).metrics.image_auroc
        1.0

    Pixel figures compare maps and masks at the detector's input size S x S, with masks resized by nearest neighbour, as
    is usual in the field. With another geometry, it is the photograph's size on the canvas. Places that the detector
    does not inspect count as called good. Photographs and masks are decoded ahead, and no map is kept.

    Args:
        detector: the .onnx file; or the result of `flawspot.train` or `flawspot.load`.
        data: a folder in the MVTec layout: ``test/good``, ``test/<defect>``, and ``ground_truth`` for pixel figures; or
            folders of good and of defective photographs, or a list; see ``docs/data.md``.
        good: names of the folders or labels that are good; empty for the usual ones.
        strict: fail at the first photograph that cannot be read, and if there are files of kinds that are not read,
            instead of leaving them out.
        pixels: also measure at pixel level if there are masks; False reads no masks.
        memory: limit in bytes for the scores of pixels. Further data go to a temporary file: the figures are the same,
            but it is slower.
        alter: corrupts test photographs to measure robustness; None leaves them unchanged.
        keep_maps: also return maps and masks; they take 5 bytes a pixel.
        mask_size: also measure pixels at the masks' own size, with maps enlarged bilinearly, as some papers do. Time
            and memory grow with the masks' pixels.
        progress: whether to show progress, or a `Progress` that is told of each image.

    Raises:
        ArtifactError: the file is not an artifact.
        DataError: there are no test images, or it is unclear which photographs are good; only some of the defective
            ones have masks, or a mask does not fit its image or is implausible.
        ImageError: with `strict`, a photograph cannot be read.
    """
    if isinstance(detector, str | os.PathLike | Artifact):
        detector = load(detector)
    progress = as_progress(progress)
    folder = as_tested(without_what_was_learned(open_data(data, good), detector.manifest.training))
    check_unread(folder, strict, progress)
    if not folder.test:
        raise DataError(
            f"{folder.root} has no test images: give labelled photographs, in folders such as OK and NG or test/good "
            "and test/<defect>; if the folders have other names, say with --good (in Python `good`) which are good"
        )
    if pixels and folder.masks_fault is not None:
        raise DataError(folder.masks_fault)
    view = detector.manifest.view
    ranked = RankedPixels(folder, view, memory, mask_size=mask_size) if pixels and folder.has_masks else None
    seen = _Seen(keep_maps, folder, view)
    with ranked or contextlib.nullcontext():
        read = _reader(detector, alter, with_masks=ranked is not None, mask_size=mask_size)
        for sample, photograph in progress.track(prefetch(folder.test, read), "evaluating", len(folder.test)):
            if isinstance(photograph, ImageError) and not strict:
                seen.skipped.append((sample.path, str(photograph)))
                progress.note(str(photograph))
            else:
                anomaly_map, score, mask = _look(detector, photograph)
                if ranked is not None and mask is not None:
                    mask = ranked.add(anomaly_map, mask)
                seen.add(sample, score, anomaly_map, mask)
        if not seen.samples:
            raise DataError(f"none of the {len(seen.skipped)} test images of {folder.root} can be read")
        with progress.step("measuring"):
            return seen.evaluation(detector.manifest.calibration.threshold, ranked)


@dataclass
class _Seen:
    """The results on a test set so far; see `Evaluation`."""

    keep_maps: bool
    folder: ImageFolder
    view: View
    samples: list[Sample] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    maps: list[NDArray[np.float32]] = field(default_factory=list)
    masks: list[NDArray[np.bool_]] = field(default_factory=list)

    def add(
        self, sample: Sample, score: float, anomaly_map: NDArray[np.float32], mask: NDArray[np.bool_] | None
    ) -> None:
        self.samples.append(sample)
        self.scores.append(score)
        if self.keep_maps:
            self.maps.append(anomaly_map)
            self.masks.extend([] if mask is None else [mask])

    def evaluation(self, threshold: float, ranked: RankedPixels | None) -> Evaluation:
        labels = np.array([sample.is_defective for sample in self.samples])
        both = bool(labels.any() and not labels.all())
        curves = None if ranked is None else ranked.at_maps()
        return Evaluation(
            measure(np.array(self.scores), None, labels, None, threshold, pixels=curves),
            tuple(self.samples),
            tuple(self.scores),
            tuple(self.skipped),
            self.folder.without(path for path, _ in self.skipped),
            threshold,
            self._stacked(self.maps),
            self._stacked(self.masks),
            None if ranked is None else ranked.at_masks(both=both),
        )

    def _stacked(self, found: list[NDArray[_Value]]) -> NDArray[_Value] | None:
        if len({one.shape for one in found}) > 1:
            found = [at_centres(one, self.view.canvas) for one in found]
        return np.stack(found) if found else None


_Read = tuple[NDArray[np.uint8], tuple[int, int], NDArray[np.bool_] | FlawspotError | None]
"""Pixels, the photograph's (width, height), and its mask."""


def _reader(
    detector: Detector, alter: Alteration | None, *, with_masks: bool, mask_size: bool
) -> Callable[[Sample], _Read]:
    """A function for other threads that reads a sample: the photograph for the detector, and its mask, at the map's
    size or, with `mask_size`, at its own.

    An error in the ground truth is returned instead of the mask. It ends the evaluation, unlike an error in a
    photograph.
    """
    view = detector.manifest.view

    def read(sample: Sample) -> _Read:
        if alter is None:
            photograph = detector.read(sample.path)
            image, (width, height) = photograph.pixels, photograph.size
        else:  # this needs the photograph itself, however large
            image = read_image(sample.path, white=detector.manifest.white)
            height, width = image.shape[:2]
        try:
            mask = read_sample_mask(sample, (height, width)) if with_masks else None
            if alter is not None:
                image, altered = alter(sample, image, np.zeros((height, width), np.bool_) if mask is None else mask)
                found = prepare(image, view)
                image, (width, height) = found.pixels, found.size
                mask = None if mask is None else altered
            place = view.placed((width, height))
            if mask is not None and not mask_size:
                mask = at_centres(mask, (place.height, place.width))
            return image, (width, height), mask
        except FlawspotError as error:
            return image, (width, height), error

    return read


def _look(
    detector: Detector, photograph: _Read | Exception
) -> tuple[NDArray[np.float32], float, NDArray[np.bool_] | None]:
    """Map, score and mask of a sample that was read. Raises the error that occurred in reading."""
    if isinstance(photograph, Exception):
        raise photograph
    image, size, mask = photograph
    if isinstance(mask, FlawspotError):
        raise mask
    anomaly_map, score = detector.run(image[None])
    return detector.manifest.view.over_photograph(anomaly_map[0], size), float(score[0]), mask
