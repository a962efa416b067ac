"""How good a detector is, on photographs it has never seen: the shipped artifact over a labelled test set."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.data.folders import ImageFolder, Sample, open_folder, read_sample_mask
from flawspot.data.reading import resize_mask
from flawspot.errors import DataError, ImageError
from flawspot.metrics import Metrics, measure
from flawspot.progress import SILENT, Progress
from flawspot.runtime.detector import Detector
from flawspot.runtime.images import read_image

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
        maps: (N, S, S) float32, the anomaly map of each of the `samples`.
        masks: (N, S, S) bool, where the defects are; None where there is no ground truth.
    """

    metrics: Metrics
    samples: tuple[Sample, ...]
    scores: tuple[float, ...]
    skipped: tuple[tuple[Path, str], ...]
    maps: NDArray[np.float32] = field(repr=False)
    masks: NDArray[np.bool_] | None = field(repr=False)


def evaluate(
    detector: Detector,
    data: str | os.PathLike[str] | ImageFolder,
    *,
    strict: bool = False,
    alter: Alteration | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Run `detector` over the test photographs of `data` and measure it.

    Pixel figures compare maps and masks at the detector's input size S x S, masks resized by nearest neighbour, as the
    field does.

    Args:
        detector: from `flawspot.load`.
        data: a folder in the MVTec layout: ``test/good``, ``test/<defect>``, and ``ground_truth`` for pixel figures.
        strict: fail at the first photograph that cannot be read, instead of leaving it out.
        alter: corrupts test photographs, to see how robust the detector is; None leaves them as they are.
        progress: told of each image.

    Raises:
        DataError: no test images, or a mask that does not fit its image.
        ImageError: with `strict`, a photograph that cannot be read.
    """
    folder = data if isinstance(data, ImageFolder) else open_folder(Path(data))
    if not folder.test:
        raise DataError(f"{folder.root} has no test images: evaluation needs test/good and test/<defect> beside train")
    size = detector.manifest.input_size
    has_masks = any(sample.mask for sample in folder.test)
    maps = np.empty((len(folder.test), size, size), np.float32)
    masks = np.zeros((len(folder.test), size, size), np.bool_) if has_masks else None
    samples: list[Sample] = []
    scores: list[float] = []
    skipped: list[tuple[Path, str]] = []
    for sample in progress.track(folder.test, "evaluating"):
        try:
            image = read_image(sample.path)
        except ImageError as error:
            if strict:
                raise
            skipped.append((sample.path, str(error)))
            progress.note(str(error))
            continue
        row = len(samples)
        mask = np.zeros(image.shape[:2], np.bool_) if masks is None else read_sample_mask(sample, image.shape[:2])
        if alter is not None:
            image, mask = alter(sample, image, mask)
        anomaly_map, score = detector.run(image[None])
        maps[row] = anomaly_map[0]
        if masks is not None:
            masks[row] = resize_mask(mask, size)
        samples.append(sample)
        scores.append(float(score[0]))
    count = len(samples)
    if not count:
        raise DataError(f"none of the {len(skipped)} test images of {folder.root} can be read")
    maps, masks = maps[:count], None if masks is None else masks[:count]
    with progress.step("measuring"):
        metrics = measure(
            np.array(scores),
            maps,
            np.array([sample.is_defective for sample in samples]),
            masks,
            detector.manifest.calibration.threshold,
        )
    return Evaluation(metrics, tuple(samples), tuple(scores), tuple(skipped), maps, masks)
