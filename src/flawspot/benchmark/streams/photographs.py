"""The photographs of a stream: training and test photographs of each step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.benchmark.record import Cell
from flawspot.benchmark.streams.stream import CATEGORIES, Stream, severities
from flawspot.data.corruptions import corrupt_all, corrupt_mask_all, image_seed
from flawspot.data.folders import ImageFolder, Sample
from flawspot.data.layouts import DataSource
from flawspot.data.samples import name_below
from flawspot.errors import DataError
from flawspot.evaluation import Alteration
from flawspot.runtime.images import read_image

_STREAM = 3
"""So that the division of a seed is independent of its choice of few photographs."""


@dataclass(frozen=True)
class Step:
    """The photographs of a step of a stream.

    Attributes:
        name: the condition, or the category.
        folder: the good photographs that arrive, and the test photographs.
        severities: severities of the corruptions of all photographs; empty for none.
        seed: seed of the corruptions.
    """

    name: str
    folder: ImageFolder
    severities: dict[str, int]
    seed: int

    def alteration(self) -> Alteration | None:
        """The alteration of a test photograph; None for none."""
        if not self.severities:
            return None

        def alter(
            sample: Sample, image: NDArray[np.uint8], mask: NDArray[np.bool_]
        ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
            seed = self._seed_of(sample.path)
            return corrupt_all(image, self.severities, seed), corrupt_mask_all(mask, self.severities, seed)

        return alter

    def arrived(self, place: Path) -> tuple[Path, ...]:
        """The good photographs as files. Corrupted ones are written into the folder `place`.

        Raises:
            ImageError: one cannot be read.
            OSError: one cannot be written.
        """
        if not self.severities:
            return self.folder.train
        place.mkdir(parents=True, exist_ok=True)
        written = []
        for number, path in enumerate(self.folder.train):
            image = corrupt_all(read_image(path), self.severities, self._seed_of(path))
            file = place / f"{number:05}.png"
            Image.fromarray(image).save(file, compress_level=1)
            written.append(file)
        return tuple(written)

    def _seed_of(self, path: Path) -> int:
        return image_seed(self.seed, name_below(path, self.folder.root))


def steps_of(cell: Cell, stream: Stream, source: DataSource) -> list[Step]:
    """The steps of a stream on a data set.

    Raises:
        DataError: a product is missing, or has too few good photographs to divide.
    """
    if stream.of == CATEGORIES:
        return [Step(category, source.open(category), {}, cell.seed) for category in stream.steps]
    folder = source.open(cell.category)
    count = len(stream.steps)
    if len(folder.train) < 2 * count:
        raise DataError(f"{folder.root} has {len(folder.train)} good photographs: too few for {count} steps")
    order = np.random.default_rng([cell.seed, _STREAM]).permutation(len(folder.train))
    found = []
    for condition, rows in zip(stream.steps, np.array_split(order, count), strict=True):
        part = replace(folder, train=tuple(folder.train[row] for row in sorted(rows.tolist())))
        found.append(Step(condition, part, severities(condition), cell.seed))
    return found


def together(paths: Sequence[Path]) -> ImageFolder:
    """A folder of good photographs for training, from their files."""
    root = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    return ImageFolder(root.name, root, tuple(path.absolute() for path in paths), ())
