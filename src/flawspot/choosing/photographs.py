"""The user's photographs as data of the benchmark: only for training, unless labelled ones are asked for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from flawspot.data.folders import ImageFolder, fingerprint
from flawspot.data.layouts import DataSource
from flawspot.data.learned import nothing_to_learn
from flawspot.errors import DataError
from flawspot.progress import SILENT, Progress

DATA = "pasted defects"
"""Name of the data in a store's tables, because the figures are not those of real defects."""


@dataclass(frozen=True)
class Given(DataSource):
    """Photographs that are already open.

    Attributes:
        folder: the photographs. Test photographs are left out unless they are used for judging.
        labelled: whether test photographs are also used for judging.
        with_arena: whether the working memory of each detector is wanted.
    """

    folder: ImageFolder | None = None
    labelled: bool = False
    with_arena: bool = False

    def open(self, category: str, *, progress: Progress = SILENT) -> ImageFolder:
        assert self.folder is not None  # `given` ensures it
        return self.folder

    def fingerprint(self, category: str) -> str:
        folder = self.open(category)
        masks = [mask for sample in folder.test for mask in sample.masks]
        paths = dict.fromkeys([*folder.train, *(sample.path for sample in folder.test), *masks])
        return fingerprint(list(paths), folder.root)


def given(folder: ImageFolder, *, labelled: bool, with_arena: bool) -> Given:
    """The data that candidates are trained on and judged by.

    Args:
        folder: the user's photographs.
        labelled: whether its test photographs are also used for judging.
        with_arena: see `Given`.

    Raises:
        DataError: there are no photographs to learn from; or, with `labelled`, no defective photograph, or implausible
            masks.
    """
    if not folder.train:
        raise DataError(nothing_to_learn(folder))
    if labelled:
        if not any(sample.is_defective for sample in folder.test):
            raise DataError(f"{folder.root} has no labelled defective photographs: leave out --labelled")
        if folder.masks_fault is not None:
            raise DataError(folder.masks_fault)
    else:
        folder = dataclasses.replace(folder, test=(), masks_fault=None)
    return Given(
        name=DATA,
        layout="folder",
        categories=(folder.name,),
        folder=folder,
        labelled=labelled,
        with_arena=with_arena,
    )
