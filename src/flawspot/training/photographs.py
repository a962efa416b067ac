"""Photographs of good parts, read once, and which of them serve for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.data.folders import Data, ImageFolder, fingerprint, open_data
from flawspot.data.learned import check_unread
from flawspot.data.reading import check_photographs
from flawspot.data.splits import split
from flawspot.errors import DataError
from flawspot.methods.base import Method
from flawspot.progress import SILENT, Progress
from flawspot.texts import visible

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Photographs:
    """The good photographs of a product.

    Attributes:
        product: its name, as `flawspot.texts.visible`.
        root: the folder they lie in.
        images: all that can be read.
        skipped: names of the files that cannot, likewise.
        fingerprint: sha256 over names and contents of `images`.
        fit: rows of `images` to learn from, ascending.
        validation: rows to choose the epoch by; empty for methods without epochs.
        calibration: rows that set the threshold, and serve for nothing else.
    """

    product: str
    root: Path
    images: tuple[Path, ...]
    skipped: tuple[str, ...]
    fingerprint: str
    fit: Rows
    validation: Rows
    calibration: Rows

    def learned_from(self) -> Rows:
        """Rows to fit on and to choose the epoch by, ascending: those whose features are needed."""
        return np.sort(np.concatenate([self.fit, self.validation]))

    def held_out(self) -> list[Path]:
        """The photographs that set the threshold."""
        return [self.images[row] for row in self.calibration]


def read_photographs(
    data: Data,
    method: Method,
    *,
    calibration_fraction: float,
    good: str | Sequence[str] = (),
    strict: bool = False,
    progress: Progress = SILENT,
) -> Photographs:
    """Open every good photograph of `data` once, and split them for `method`, by its seed.

    Raises:
        DataError: no or too few photographs, or they do not differ from each other.
        ImageError: with `strict`, a photograph that cannot be read.
    """
    folder = open_data(data, good)
    if not folder.train:
        raise DataError(f"no good photographs to learn from in {folder.root}: give the folder of good parts")
    check_unread(folder, strict, progress)
    checked = check_photographs(folder.train, strict=strict, progress=progress)
    images = checked.readable
    for _, reason in checked.skipped:
        progress.note(f"left out: {reason}")
    fit, validation, calibration = _split(images, folder, method, calibration_fraction)
    if checked.empty:
        raise DataError(f"the {len(images)} photographs in {folder.root} are of one colour each: is the lens covered?")
    if not checked.differ:
        raise DataError(
            f"the {len(images)} photographs in {folder.root} are one and the same picture, so nothing can be learned "
            "of how good parts differ: take photographs of many parts"
        )
    return Photographs(
        product=visible(folder.name),
        root=folder.root,
        images=tuple(images),
        skipped=tuple(visible(path.name) for path, _ in checked.skipped),
        fingerprint=fingerprint(images, folder.root),
        fit=fit,
        validation=validation,
        calibration=calibration,
    )


def _split(
    images: Sequence[Path], folder: ImageFolder, method: Method, calibration_fraction: float
) -> tuple[Rows, Rows, Rows]:
    validates = method.validation_fraction > 0
    least = 3 if validates else 2
    if len(images) < least:
        raise DataError(
            f"{len(images)} readable good image{'' if len(images) == 1 else 's'} in {folder.root}: {method.name} needs "
            f"at least {least}, of which some only set the threshold; 100 or more are advisable"
        )
    fit, calibration = split(len(images), [calibration_fraction], method.seed)
    if not validates:
        return fit, np.empty(0, np.int64), calibration
    rest, validation = split(len(fit), [method.validation_fraction], method.seed + 1)
    return fit[rest], fit[validation], calibration
