"""Scores of good photographs that the scoring detector has not learned from: held out, or fold by fold."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from flawspot.data.learned import content_hash
from flawspot.data.pasted import paste_defect
from flawspot.data.reading import at_centres
from flawspot.data.tolerances import Tolerance
from flawspot.data.varying import Varying
from flawspot.methods.base import Method
from flawspot.methods.features import FeatureSet
from flawspot.progress import SILENT, Progress
from flawspot.runtime.calibration import calibrate
from flawspot.runtime.json_reading import MAX_ITEMS
from flawspot.runtime.manifest import CalibrationInfo
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.reduced import Decoded, read_photograph
from flawspot.runtime.tolerated import tolerant
from flawspot.runtime.view import View
from flawspot.training.feature_source import FeatureSource
from flawspot.training.graph import assembled
from flawspot.training.photographs import Photographs, validating
from flawspot.training.tiles import Blend

_BATCH = 8
PASTED = 60
"""Most photographs that get a pasted defect."""


@dataclass(frozen=True)
class Scores:
    """Scores of good photographs that the scoring detector has not learned from.

    Attributes:
        as_taken: score of each photograph.
        varied: score of each photograph varied up to the tolerance, in the same order; empty without a tolerance.
    """

    as_taken: list[float]
    varied: list[float]


def held_out_scores(
    session: InferenceSession,
    photographs: Photographs,
    view: View,
    *,
    varying: Varying | None = None,
    progress: Progress = SILENT,
) -> list[float]:
    """Scores of the held-out photographs by the shipped graph; with `varying`, varied up to the tolerance."""
    images = photographs.held_out()

    def read(image: Path) -> Decoded:
        if varying is not None:
            return varying.read(image, varying.farthest)
        return read_photograph(image, view, white=photographs.white)

    scores = []
    for _, photograph in progress.track(prefetch(images, read), "setting the threshold", len(images)):
        if isinstance(photograph, Exception):
            raise photograph
        scores.append(float(session.run(["score"], {"image": photograph.pixels[None]})[0][0]))
    return scores


def cross_scores(
    method: Method,
    features: FeatureSet,
    photographs: Photographs,
    view: View,
    *,
    source: FeatureSource | None = None,
    progress: Progress = SILENT,
) -> Scores:
    """The score of each photograph by a copy of `method` that is fitted on the other folds.

    Head and features are the exported ones, but no graph is written for a fold.

    Args:
        method: the method, fitted or not; it is not changed.
        features: features of all photographs, in their order, followed by the copies of `source`.
        photographs: the photographs with their folds.
        view: the view of the photographs.
        source: source of the features, if photographs are varied.

    Returns:
        N scores, and N scores of photographs varied up to the tolerance.
    """
    count = len(photographs.images)
    with_copies = (lambda rows: rows) if source is None else source.with_copies
    everything = np.arange(count, dtype=np.int64)
    scores, varied = np.empty(count), np.empty(count)
    folds = np.unique(photographs.folds)
    for fold in progress.track(folds, "fitting the folds", len(folds)):
        out = everything[photographs.folds == fold]
        rest = everything[photographs.folds != fold]
        fit, validation = validating(rest, photographs.groups, method)
        fitted = dataclasses.replace(method)
        chosen_by = features.of_photographs(with_copies(validation)) if len(validation) else None
        fitted.fit(features.of_photographs(with_copies(fit)), chosen_by)
        found = scores_of(fitted, features.of_photographs(out if source is None else source.with_farthest(out)), view)
        scores[out], varied[out] = found[: len(out)], found[-len(out) :]
    tolerant = source is not None and source.varying is not None
    return Scores(scores.tolist(), varied.tolist() if tolerant else [])


def pasted_scores(
    session: InferenceSession, photographs: Photographs, view: View, seed: int, *, progress: Progress = SILENT
) -> list[float]:
    """Scores by the shipped graph of good photographs with a pasted defect each, at most `PASTED`.

    Held-out photographs are used first, because the detector has not learned from them.
    """
    learned = np.setdiff1d(np.arange(len(photographs.images)), photographs.calibration)
    generator = np.random.default_rng([seed, PASTED])
    rows = np.concatenate([generator.permutation(photographs.calibration), generator.permutation(learned)])[:PASTED]

    def read(row: int) -> NDArray[np.uint8]:
        photograph = read_photograph(photographs.images[row], view, white=photographs.white)
        hidden = view.not_inspected(photograph.size)
        where = None if hidden is None else ~at_centres(hidden, photograph.pixels.shape[:2])
        return paste_defect(photograph.pixels, int(row), where)

    scores = []
    for _, pixels in progress.track(prefetch(rows.tolist(), read), "trying pasted defects", len(rows)):
        if isinstance(pixels, Exception):
            raise pixels
        scores.append(float(session.run(["score"], {"image": pixels[None]})[0][0]))
    return scores


def described(
    photographs: Photographs,
    scores: Scores,
    pasted: Sequence[float],
    false_alarm_rate: float,
    tolerance: Tolerance | None = None,
) -> CalibrationInfo:
    """The threshold, with the files and groups of its scores.

    With a tolerance, one threshold is computed from the photographs as they are, and one from copies varied up to the
    tolerance. The higher one is used, so that the rate holds for both.
    """
    as_taken = _calibrated(photographs, scores.as_taken, pasted, false_alarm_rate)
    if tolerance is None:
        return as_taken
    varied = _calibrated(photographs, scores.varied, pasted, false_alarm_rate)
    return tolerant(as_taken, varied, tolerance.severities, tolerance.copies)


def _calibrated(
    photographs: Photographs, scores: Sequence[float], pasted: Sequence[float], false_alarm_rate: float
) -> CalibrationInfo:
    rows = photographs.scored()
    if len(rows) > MAX_ITEMS:  # a random sample that fits into a manifest, for which the promise holds too
        kept = np.sort(np.random.default_rng(0).choice(len(rows), MAX_ITEMS, replace=False))
        scores, rows = [scores[place] for place in kept], rows[kept]
    return calibrate(
        scores,
        false_alarm_rate,
        groups=photographs.groups[rows].tolist(),
        folds=int(photographs.folds.max(initial=-1)) + 1,
        names=photographs.names(rows),
        hashes=content_hashes([photographs.images[row] for row in rows]),
        pasted=pasted,
    )


def content_hashes(images: Sequence[Path]) -> list[str]:
    """The content hash of each file; see `flawspot.data.learned.content_hash`."""
    return [content_hash(path) for path in images]


def scores_of(fitted: Method, features: FeatureSet, view: View) -> NDArray[np.float32]:
    """(N,) scores by the head of a fitted method."""
    head, blend = fitted.head().eval(), Blend(view)
    found = []
    photographs = max(_BATCH // view.tiles, 1)
    with _one_thread(), torch.no_grad():
        for start in range(0, len(features) // view.tiles, photographs):
            rows = np.arange(len(features)).reshape(-1, view.tiles)[start : start + photographs]
            parts = np.split(rows, range(_BATCH, view.tiles, _BATCH), axis=1)
            maps = [
                {layer: torch.from_numpy(features.batch(layer, part.ravel())) for layer in features.maps}
                for part in parts
            ]
            cells = features.cells(view.size, rows.ravel())
            inside = None if cells is None else torch.from_numpy(cells).float()
            found.append(assembled(head, blend, maps, inside, _BATCH if len(parts) > 1 else view.tiles)[1].numpy())
    return np.concatenate(found)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread of torch. PaDiM's head has thousands of small products, between which torch's threads wait for
    each other. On a busy machine, the waiting takes a hundred times as long as the products."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
