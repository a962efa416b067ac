"""The axes beyond the paper: fewer photographs, contaminated ones, and test photographs of a worse camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flawspot.benchmark.record import Cell
from flawspot.data.corruptions import corrupt, corrupt_mask, image_seed
from flawspot.data.folders import ImageFolder, Sample
from flawspot.errors import DataError
from flawspot.evaluation import Alteration

_SHOTS, _CONTAMINATION = 1, 2  # so that the two choices of one seed are independent


def vary(folder: ImageFolder, cell: Cell) -> ImageFolder:
    """The product with the cell's number of good training photographs and its share of defective ones among them.

    With the same seed, fewer photographs are a subset of more. Defective ones are moved from the test set, so they are
    never tested on. With more contamination, fewer remain in the test set.

    Raises:
        DataError: there are not enough photographs.
    """
    train = list(folder.train)
    if cell.shots is not None:
        if cell.shots > len(train):
            raise DataError(f"{folder.root} has {len(train)} good photographs, not the {cell.shots} that are asked for")
        order = np.random.default_rng([cell.seed, _SHOTS]).permutation(len(train))
        train = [train[index] for index in sorted(order[: cell.shots])]
    test = list(folder.test)
    if cell.contamination:
        defective = [index for index, sample in enumerate(test) if sample.is_defective]
        count = contaminating(len(train), cell.contamination)
        if count >= len(defective):
            raise DataError(
                f"a contamination of {cell.contamination:g} takes {count} defective photographs, and {folder.root} has "
                f"{len(defective)}, of which some must be left to test on: give a smaller share"
            )
        order = np.random.default_rng([cell.seed, _CONTAMINATION]).permutation(len(defective))
        moved = {defective[index] for index in order[:count]}
        train += [test[index].path for index in sorted(moved)]
        test = [sample for index, sample in enumerate(test) if index not in moved]
    return replace(folder, train=tuple(train), test=tuple(test))


def contaminating(good: int, share: float) -> int:
    """Number n of defective photographs that are `share` of all training photographs, n / (good + n)."""
    return round(share / (1 - share) * good)


def alteration(folder: ImageFolder, cell: Cell) -> Alteration | None:
    """The corruption of test photographs in a cell, each with its own seed; None without a corruption."""
    name = cell.corruption
    if name is None:
        return None

    def alter(
        sample: Sample, image: NDArray[np.uint8], mask: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        seed = image_seed(cell.seed, sample.path.relative_to(folder.root).as_posix())
        return corrupt(image, name, cell.severity, seed), corrupt_mask(mask, name, cell.severity, seed)

    return alter
