"""The candidate patches for a memory bank: all, those inside the inspected region, or a sample; and their scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from flawspot.errors import DataError
from flawspot.methods.features import NOTHING_INSIDE, FeatureSet
from flawspot.methods.patches import join, pool
from flawspot.progress import SILENT, Progress

BATCH = 16
"""Images pooled at once."""
_ROWS = 8192
"""Patches squared at once."""


def gather(sets: Sequence[FeatureSet], most: int | None, seed: int, progress: Progress = SILENT) -> NDArray[np.float32]:
    """Pool the patches of all images and keep those that are candidates.

    Args:
        sets: features of the images, or of their tiles, and of the same ones turned.
        most: number of patches to draw at random from the inspected ones, in proportion for each image; None takes all.
        seed: seed of the draw. The draw comes first, so patches that are not drawn are never in memory.
        progress: reports the images.

    Returns:
        (M, C), ordered by image and by position in it.

    Raises:
        DataError: no patch is inspected.
    """
    channels = sets[0].shapes.channels
    counts = np.concatenate([_counts(features) for features in sets])
    total = int(counts.sum())
    if not total:
        raise DataError(NOTHING_INSIDE)
    drawn, generator = counts, None
    if most is not None and most < total:
        drawn = np.diff(np.cumsum(counts) * most // total, prepend=0)
        generator = np.random.default_rng(seed)
    patches = np.empty((int(drawn.sum()), channels), np.float32)
    end, image = 0, 0
    batches = [(features, start) for features in sets for start in range(0, len(features), BATCH)]
    for features, start in progress.track(batches, "gathering patches"):
        rows = _patches(features, slice(start, start + BATCH))  # (B, P, C)
        cells = features.cells(features.shapes.grid, slice(start, start + BATCH))
        for place, found in enumerate(rows):
            inside = np.arange(len(found)) if cells is None else np.flatnonzero(cells[place])
            if generator is not None:
                inside = inside[np.sort(generator.choice(len(inside), drawn[image], replace=False))]
            patches[end : end + len(inside)] = found if len(inside) == len(found) else found[inside]
            end, image = end + len(inside), image + 1
    return patches


def channel_scales(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """(M, C) -> (C,): one over the standard deviation of each channel.

    The scale is one for a channel whose deviation is not above the float32 rounding of its mean.
    """
    count = len(patches)
    # Relative to one of the patches, so that there is no cancellation and a constant gives exactly zero.
    origin = patches[0].astype(np.float64)
    total, squares = np.zeros_like(origin), np.zeros_like(origin)
    for start in range(0, count, _ROWS):
        shifted = patches[start : start + _ROWS] - origin
        total += shifted.sum(0)
        squares += np.square(shifted).sum(0)
    deviation = np.sqrt(np.maximum(squares / count - np.square(total / count), 0))
    deviates = deviation > np.finfo(np.float32).eps * np.abs(origin + total / count)
    scales: NDArray[np.float32] = np.where(deviates, 1 / np.where(deviates, deviation, 1), 1).astype(np.float32)
    return scales


def _counts(features: FeatureSet) -> NDArray[np.int64]:
    """(N,): number of inspected patches in each image."""
    counts = np.full(len(features), features.shapes.positions, np.int64)
    if features.inside is not None:
        for start in range(0, len(features), BATCH):
            cells = features.cells(features.shapes.grid, slice(start, start + BATCH))
            assert cells is not None  # a region is given
            counts[start : start + BATCH] = cells.sum((1, 2))
    return counts


def _patches(features: FeatureSet, rows: slice) -> NDArray[np.float32]:
    """(B, P, C): the pooled and joined features of some images at each position."""
    shapes, pooled = features.shapes, []
    for tap, grid in zip(shapes.taps, shapes.tap_grids, strict=True):
        cells = features.cells(grid, rows)
        maps = torch.from_numpy(features.batch(tap, rows))
        pooled.append(pool(maps, None if cells is None else torch.from_numpy(cells).to(maps)))
    found: NDArray[np.float32] = join(pooled, shapes.grid).flatten(2).transpose(1, 2).numpy()
    return found
