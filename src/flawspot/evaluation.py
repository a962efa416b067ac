"""How good a detector is, on photographs it has never seen: the shipped artifact over a labelled test set."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.data.folders import ImageFolder, Sample, open_folder, read_sample_mask
from flawspot.data.reading import resize_mask
from flawspot.errors import DataError, FlawspotError, ImageError
from flawspot.metrics import Metrics, PixelScores, measure
from flawspot.progress import SILENT, Progress
from flawspot.runtime.detector import Detector
from flawspot.runtime.prefetch import prefetch

MEMORY = 1 << 30
"""Bytes for the scores of pixels: 4000 maps of 224 x 224. A smaller set takes less."""

Alteration = Callable[[Sample, NDArray[np.uint8], NDArray[np.bool_]], tuple[NDArray[np.uint8], NDArray[np.bool_]]]
"""What is done to a test photograph (H, W, 3) and its mask (H, W) before the detector sees it."""


@dataclass(frozen=True)
class Evaluation:
    """The figures of one detector on one test set.

    Attributes:
        metrics: at image and pixel level; see `flawspot.metrics`.
        samples: the test images that could be read, in the order of `scores`.
        scores: of each.
        skipped: test images that could not be read, with the reason.
        maps: (N, S, S) float32, the anomaly map of each of the `samples`; None unless they were asked for.
        masks: (N, S, S) bool, where the defects are; None likewise, and where there is no ground truth.
    """

    metrics: Metrics
    samples: tuple[Sample, ...]
    scores: tuple[float, ...]
    skipped: tuple[tuple[Path, str], ...]
    maps: NDArray[np.float32] | None = field(default=None, repr=False)
    masks: NDArray[np.bool_] | None = field(default=None, repr=False)


def evaluate(
    detector: Detector,
    data: str | os.PathLike[str] | ImageFolder,
    *,
    strict: bool = False,
    memory: int = MEMORY,
    alter: Alteration | None = None,
    keep_maps: bool = False,
    progress: Progress = SILENT,
) -> Evaluation:
    """Run `detector` over the test photographs of `data` and measure it.

    Pixel figures compare maps and masks at the detector's input size S x S, masks resized by nearest neighbour, as the
    field does. The next photographs and masks are decoded while the detector looks at the present one, and no map is
    kept.

    Args:
        detector: from `flawspot.load`.
        data: a folder in the MVTec layout: ``test/good``, ``test/<defect>``, and ``ground_truth`` for pixel figures.
        strict: fail at the first photograph that cannot be read, instead of leaving it out.
        memory: bytes for the scores of pixels. What goes beyond waits in a temporary file: the same figures, later.
        alter: corrupts test photographs, to see how robust the detector is; None leaves them as they are.
        keep_maps: return maps and masks as well; they take 5 bytes a pixel.
        progress: told of each image.

    Raises:
        DataError: no test images, or a mask that does not fit its image.
        ImageError: with `strict`, a photograph that cannot be read.
    """
    folder = data if isinstance(data, ImageFolder) else open_folder(Path(data))
    if not folder.test:
        raise DataError(f"{folder.root} has no test images: evaluation needs test/good and test/<defect> beside train")
    size = detector.manifest.input_size
    pixels = _pixel_scores(folder, size, memory) if any(sample.mask for sample in folder.test) else None
    samples: list[Sample] = []
    scores: list[float] = []
    skipped: list[tuple[Path, str]] = []
    maps: list[NDArray[np.float32]] = []
    masks: list[NDArray[np.bool_]] = []

    def read(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | FlawspotError | None]:
        photograph = detector.read(sample.path)
        image, (width, height) = photograph.pixels, photograph.size
        try:
            mask = None if pixels is None else read_sample_mask(sample, (height, width))
            if alter is not None:
                image, altered = alter(sample, image, np.zeros((height, width), np.bool_) if mask is None else mask)
                mask = None if mask is None else altered
            return image, None if mask is None else resize_mask(mask, size)
        except FlawspotError as error:  # a fault in the truth ends the evaluation, unlike one in a photograph
            return image, error

    with pixels or contextlib.nullcontext():
        for sample, photograph in progress.track(prefetch(folder.test, read), "evaluating", len(folder.test)):
            if isinstance(photograph, Exception):
                if strict or not isinstance(photograph, ImageError):
                    raise photograph
                skipped.append((sample.path, str(photograph)))
                progress.note(str(photograph))
                continue
            image, mask = photograph
            if isinstance(mask, FlawspotError):
                raise mask
            anomaly_map, score = detector.run(image[None])
            if keep_maps:
                maps.append(anomaly_map[0])
                masks.extend([] if mask is None else [mask])
            if pixels is not None and mask is not None:
                pixels.add(anomaly_map[0], mask)
            samples.append(sample)
            scores.append(float(score[0]))
        if not samples:
            raise DataError(f"none of the {len(skipped)} test images of {folder.root} can be read")
        with progress.step("measuring"):
            metrics = measure(
                np.array(scores),
                None,
                np.array([sample.is_defective for sample in samples]),
                None,
                detector.manifest.calibration.threshold,
                pixels=None if pixels is None else pixels.curves(),
            )
    return Evaluation(
        metrics,
        tuple(samples),
        tuple(scores),
        tuple(skipped),
        np.stack(maps) if maps else None,
        np.stack(masks) if masks else None,
    )


def _pixel_scores(folder: ImageFolder, size: int, memory: int) -> PixelScores:
    """Buffers for all pixels of the test set, and within `memory`: three quarters of it for the good pixels."""
    everything = len(folder.test) * size * size
    defective = everything - sum(not sample.is_defective for sample in folder.test) * size * size
    return PixelScores(min(everything, memory * 3 // 16), min(defective, memory // 32))
