"""Scores of good photographs that the scoring detector has not learned from: held out, or fold by fold."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from flawspot.data.learned import content_hash
from flawspot.data.pasted import paste_defect
from flawspot.methods.base import Method
from flawspot.methods.features import FeatureSet
from flawspot.progress import SILENT, Progress
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.reduced import read_photograph
from flawspot.training.photographs import Photographs, Rows, validating

_BATCH = 8
PASTED = 60
"""Photographs that get a pasted defect."""


def held_out_scores(
    session: InferenceSession, photographs: Photographs, input_size: int, *, progress: Progress = SILENT
) -> list[float]:
    """Scores of the held-out photographs by the graph that is shipped."""
    images = photographs.held_out()
    read = functools.partial(read_photograph, input_size=input_size, white=photographs.white)
    scores = []
    for _, photograph in progress.track(prefetch(images, read), "setting the threshold", len(images)):
        if isinstance(photograph, Exception):
            raise photograph
        scores.append(float(session.run(["score"], {"image": photograph.pixels[None]})[0][0]))
    return scores


def cross_scores(
    method: Method, features: FeatureSet, photographs: Photographs, *, progress: Progress = SILENT
) -> list[float]:
    """The score of each photograph by a copy of `method` that is fitted on the other folds.

    Head and features are those that are exported; only nothing is exported for a fold.

    Args:
        method: as it was before or after its own fit; it is not changed.
        features: of all photographs, in their order.
        photographs: with their folds.

    Returns:
        N scores.
    """
    scores = np.empty(len(photographs.images))
    everything = np.arange(len(scores), dtype=np.int64)
    folds = np.unique(photographs.folds)
    for fold in progress.track(folds, "fitting without a fold each", len(folds)):
        out = everything[photographs.folds == fold]
        rest = everything[photographs.folds != fold]
        fit, validation = validating(rest, photographs.groups, method)
        fitted = dataclasses.replace(method)
        fitted.fit(_only(features, fit), _only(features, validation) if len(validation) else None)
        scores[out] = scores_of(fitted, _only(features, out))
    return [float(score) for score in scores]


def pasted_scores(
    session: InferenceSession, photographs: Photographs, input_size: int, seed: int, *, progress: Progress = SILENT
) -> list[float]:
    """Scores by the graph that is shipped of good photographs with a pasted defect each, at most `PASTED`.

    Held-out photographs serve first: a detector knows the rest of those it has learned from.
    """
    learned = np.setdiff1d(np.arange(len(photographs.images)), photographs.calibration)
    generator = np.random.default_rng([seed, PASTED])
    rows = np.concatenate([generator.permutation(photographs.calibration), generator.permutation(learned)])[:PASTED]

    def read(row: int) -> NDArray[np.uint8]:
        photograph = read_photograph(photographs.images[row], input_size, white=photographs.white)
        return paste_defect(photograph.pixels, int(row))

    scores = []
    for _, pixels in progress.track(prefetch(rows.tolist(), read), "trying pasted defects", len(rows)):
        if isinstance(pixels, Exception):
            raise pixels
        scores.append(float(session.run(["score"], {"image": pixels[None]})[0][0]))
    return scores


def content_hashes(images: Sequence[Path]) -> list[str]:
    """Of each file; see `flawspot.data.learned.content_hash`."""
    return [content_hash(path) for path in images]


def _only(features: FeatureSet, rows: Rows) -> FeatureSet:
    stored = rows if features.rows is None else features.rows[rows]
    return dataclasses.replace(features, rows=stored)


def scores_of(fitted: Method, features: FeatureSet) -> NDArray[np.float32]:
    """(N,) scores by the head of a fitted method."""
    head = fitted.head().eval()
    found = []
    with _one_thread(), torch.no_grad():
        for start in range(0, len(features), _BATCH):
            rows = slice(start, start + _BATCH)
            maps = {layer: torch.from_numpy(features.batch(layer, rows)) for layer in features.maps}
            found.append(head(maps)[1].numpy())
    return np.concatenate(found)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """PaDiM's head is thousands of small products, between which torch's threads wait for each other: on a machine that
    is busy with something else that takes a hundred times as long as the products."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
