"""Photographs of good parts: reads them once, and divides them by their use."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.data.findings import alike, find_oddities, parts
from flawspot.data.folders import Data, ImageFolder, fingerprint, open_data
from flawspot.data.groups import grouping
from flawspot.data.learned import check_unread, nothing_to_learn
from flawspot.data.looking import bits_of, white_of
from flawspot.data.near_duplicates import merged
from flawspot.data.reading import check_photographs
from flawspot.data.roles import Role, role_of
from flawspot.data.samples import name_below
from flawspot.data.splits import folds, split_groups
from flawspot.errors import ConfigurationError, DataError
from flawspot.methods.base import Method
from flawspot.progress import SILENT, Progress
from flawspot.runtime.calibration import images_needed
from flawspot.runtime.images import WHITE
from flawspot.texts import visible

Rows = NDArray[np.int64]

CALIBRATIONS = ("auto", "split", "cross")
"""Ways to use the good photographs for the threshold."""
FOLDS = 5
"""Number of folds in the cross-conformal calibration. On good photographs, 5, 10 and 20 folds give the same scores,
except for sets of 25, where 5 folds are a little more conservative."""


@dataclass(frozen=True)
class Photographs:
    """The good photographs of a product.

    Attributes:
        product: name of the product, escaped by `flawspot.texts.visible`.
        root: folder of the photographs.
        images: all readable photographs.
        skipped: names of the files that cannot be read, escaped too.
        fingerprint: sha256 over names and contents of `images`.
        groups: (N,) group of each of `images`, from 0. A group shows one part.
        fit: rows of `images` to learn from, ascending.
        validation: rows for choosing the epoch; empty for methods without epochs.
        calibration: rows that set the threshold and are used for nothing else; empty with `folds`.
        white, bits: value of white in 16 bits, and number of significant bits; see `flawspot.data.looking`.
        dropped: names of good photographs that are left out as suspects.
        sizes: (width, height) of each of `images`.
        folds: (N,) fold of each of `images`, which is scored by a detector fitted on the others; empty for a split.
    """

    product: str
    root: Path
    images: tuple[Path, ...]
    skipped: tuple[str, ...]
    fingerprint: str
    groups: Rows
    fit: Rows
    validation: Rows
    calibration: Rows
    folds: Rows
    white: int = WHITE
    bits: int | None = None
    dropped: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()

    def learned_from(self) -> Rows:
        """Rows for fitting and for choosing the epoch, ascending. Their features are needed."""
        return np.sort(np.concatenate([self.fit, self.validation]))

    def scored(self) -> Rows:
        """Rows of the photographs whose scores set the threshold; all rows with folds."""
        return np.arange(len(self.images), dtype=np.int64) if len(self.folds) else self.calibration

    def held_out(self) -> list[Path]:
        """The photographs that set the threshold and are used for nothing else."""
        return [self.images[row] for row in self.calibration]

    def without(self, suspects: Rows, division: Division, method: Method) -> Photographs:
        """The photographs without some rows, divided again.

        Raises:
            DataError: too few are left.
        """
        kept = np.setdiff1d(np.arange(len(self.images), dtype=np.int64), suspects)
        groups = np.unique(self.groups[kept], return_inverse=True)[1].astype(np.int64)
        if int(groups.max(initial=-1)) < 2:
            raise DataError(f"too few photographs are left of {self.root} without those that are suspected")
        images = tuple(self.images[row] for row in kept)
        fit, validation, calibration, fold_of = divide(groups, division, method)
        return dataclasses.replace(
            self,
            images=images,
            sizes=tuple(self.sizes[row] for row in kept),
            dropped=tuple(self.names(suspects)),
            fingerprint=fingerprint(images, self.root),
            groups=groups,
            fit=fit,
            validation=validation,
            calibration=calibration,
            folds=fold_of,
        )

    def names(self, rows: Rows) -> list[str]:
        """Names of some photographs: relative to the folder, with forward slashes, escaped by
        `flawspot.texts.visible`."""
        return [name_below(self.images[row], self.root) for row in rows]


@dataclass(frozen=True)
class Division:
    """How the good photographs are divided.

    Attributes:
        calibration: one of `CALIBRATIONS`. ``split`` holds out a share of the photographs. ``cross`` holds out none:
            each is scored by a detector fitted on the other folds. ``auto`` is ``cross`` if the method's fit is short
            and a split could not promise the rate, otherwise ``split``.
        fraction: share that ``split`` holds out, in (0, 1).
        group: rule for photographs of one part, see `flawspot.data.groups.grouping`; None groups near-duplicates only.
        false_alarm_rate: the rate that the threshold is set for.
    """

    calibration: str = "auto"
    fraction: float = 0.2
    group: str | None = None
    false_alarm_rate: float = 0.01

    def __post_init__(self) -> None:
        """Raises ConfigurationError for values out of range."""
        if self.calibration not in CALIBRATIONS:
            known = ", ".join(CALIBRATIONS)
            raise ConfigurationError(f"unknown calibration {self.calibration!r}: the known ones are {known}")
        if not 0 < self.fraction < 1:
            raise ConfigurationError(f"calibration fraction {self.fraction:g} is not between 0 and 1: try 0.2")
        if not 0 < self.false_alarm_rate < 1:
            raise ConfigurationError(f"false-alarm rate {self.false_alarm_rate:g} is not between 0 and 1: try 0.01")
        if self.group is not None:
            grouping(self.group)

    def crosses(self, groups: int, method: Method) -> bool:
        """Whether every photograph is used for both, fitting and the threshold."""
        if self.calibration != "auto":
            return self.calibration == "cross"
        return method.refits_quickly and groups * self.fraction < images_needed(self.false_alarm_rate)


def read_photographs(
    data: Data,
    method: Method,
    division: Division,
    *,
    good: str | Sequence[str] = (),
    strict: bool = False,
    progress: Progress = SILENT,
) -> Photographs:
    """Open every good photograph of `data` once, and divide them for `method`, by its seed.

    Raises:
        DataError: no photographs or too few, or all are equal, or a rule for groups that does not fit them.
        ImageError: with `strict`, a photograph that cannot be read.
    """
    folder = open_data(data, good)
    if not folder.train:
        raise DataError(nothing_to_learn(folder))
    check_unread(folder, strict, progress)
    checked = check_photographs(folder.train, strict=strict, progress=progress)
    images = checked.readable
    for _, reason in checked.skipped:
        progress.note(f"left out: {reason}")
    _check_number(len(images), "readable good image", "readable good images", folder, method)
    if checked.empty:
        raise DataError(f"the {len(images)} photographs in {folder.root} are of one colour each: is the lens covered?")
    if not checked.differ:
        raise DataError(
            f"the {len(images)} photographs in {folder.root} are one and the same picture, so nothing can be learned "
            "of how good parts differ: take photographs of many parts"
        )
    near = alike(checked.looks)
    for finding in find_oddities(checked.looks, near):
        progress.note(finding.line([visible(path.name) for path in images]))
    groups = _groups(images, folder, parts(checked.looks, near), division, progress)
    _check_number(
        int(groups.max()) + 1, "good part that was photographed", "good parts that were photographed", folder, method
    )
    fit, validation, calibration, fold_of = divide(groups, division, method)
    return Photographs(
        product=visible(_product(folder)),
        root=folder.root,
        images=tuple(images),
        skipped=tuple(name_below(path, folder.root) for path, _ in checked.skipped),
        fingerprint=fingerprint(images, folder.root),
        groups=groups,
        fit=fit,
        validation=validation,
        calibration=calibration,
        folds=fold_of,
        white=white_of(checked.looks),
        bits=bits_of(checked.looks),
        sizes=tuple(look.size for look in checked.looks),
    )


def _product(folder: ImageFolder) -> str:
    """The folder's name; for ``train/good`` and similar folders, the name of the product's folder."""
    root = folder.root.absolute()
    if root.name != folder.name or role_of(folder.name) is not Role.GOOD:
        return folder.name
    above = (parent.name for parent in root.parents if role_of(parent.name) is not Role.TRAIN)
    return next(above, "") or folder.name


def _groups(images: Sequence[Path], folder: ImageFolder, alike: Rows, division: Division, progress: Progress) -> Rows:
    if division.group == "none":
        return np.arange(len(images), dtype=np.int64)
    if division.group is None:
        return alike
    groups = merged(grouping(division.group)(images, folder.root), alike)
    progress.note(f"{len(images)} photographs in {int(groups.max()) + 1} groups by {division.group}")
    return groups


def _check_number(count: int, one: str, many: str, folder: ImageFolder, method: Method) -> None:
    least = 3 if method.validation_fraction > 0 else 2
    if count < least:
        raise DataError(
            f"{count} {one if count == 1 else many} in {folder.root}: {method.name} needs "
            f"at least {least}, of which some only set the threshold; 100 or more are advisable"
        )


def divide(groups: Rows, division: Division, method: Method) -> tuple[Rows, Rows, Rows, Rows]:
    """Rows for fitting, validation and calibration, and the fold of each row."""
    none = np.empty(0, np.int64)
    everything = np.arange(len(groups), dtype=np.int64)
    crosses = division.crosses(int(groups.max()) + 1, method)
    fold_of = folds(groups, FOLDS, method.seed) if crosses else none
    calibration = none if crosses else split_groups(groups, [division.fraction], method.seed)[1]
    fit, validation = validating(np.setdiff1d(everything, calibration), groups, method)
    return fit, validation, calibration, fold_of


def validating(rows: Rows, groups: Rows, method: Method) -> tuple[Rows, Rows]:
    """Divide `rows` by whole groups into those for fitting and those for choosing the epoch."""
    if not method.validation_fraction > 0:
        return rows, np.empty(0, np.int64)
    own = np.unique(groups[rows], return_inverse=True)[1]
    rest, validation = split_groups(own.astype(np.int64), [method.validation_fraction], method.seed + 1)
    return rows[rest], rows[validation]
