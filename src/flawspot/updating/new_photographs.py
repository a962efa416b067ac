"""The new good photographs of an update: which are really new, and what each is used for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.data.findings import alike, find_oddities, parts
from flawspot.data.folders import Data, fingerprint, open_data
from flawspot.data.groups import grouping
from flawspot.data.learned import check_unread, content_hash, nothing_to_learn
from flawspot.data.near_duplicates import merged
from flawspot.data.reading import check_photographs
from flawspot.data.samples import name_below
from flawspot.data.splits import split_groups
from flawspot.errors import DataError
from flawspot.progress import SILENT, Progress
from flawspot.texts import counted, visible

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class NewPhotographs:
    """Good photographs that the detector does not know.

    Attributes:
        root: their folder.
        images, hashes: their files, and the beginnings of the files' sha256.
        groups: (N,) number of the part that each shows, from 0.
        fit, validation, calibration: rows to learn from, to choose the epoch, and to set the threshold.
        known: number of other photographs that the detector has learned from, or that were held out before.
        skipped: names of files that could not be read.
        fingerprint: sha256 over names and contents of `images`.
    """

    root: Path
    images: tuple[Path, ...]
    hashes: tuple[str, ...]
    groups: Rows
    fit: Rows
    validation: Rows
    calibration: Rows
    known: int
    skipped: tuple[str, ...]
    fingerprint: str

    def name(self, row: int) -> str:
        """Name of one of them, below the folder."""
        return name_below(self.images[row], self.root)


def read_new(
    data: Data,
    known: Sequence[str],
    *,
    good: str | Sequence[str] = (),
    group: str | None = None,
    fraction: float,
    validating: float,
    seed: int,
    strict: bool = False,
    progress: Progress = SILENT,
) -> NewPhotographs:
    """Open every good photograph once, leave out the known ones, and split the others by whole groups.

    Args:
        data: as for `flawspot.train`.
        known: beginnings of the sha256 of photographs that were learned from or held out before.
        good: names of the folders or labels that are good.
        group: which photographs show one part; None groups near-duplicates.
        fraction: the share that is held out for the threshold.
        validating: the share of the others that is held out to choose the epoch.
        seed: seed of both choices.
        strict: fail at the first photograph that cannot be read.
        progress: told of every photograph.

    Raises:
        DataError: there are no good photographs.
        ImageError: with `strict`, a photograph cannot be read.
    """
    folder = open_data(data, good)
    if not folder.train:
        raise DataError(nothing_to_learn(folder))
    check_unread(folder, strict, progress)
    checked = check_photographs(folder.train, strict=strict, progress=progress)
    for _, reason in checked.skipped:
        progress.note(f"left out: {reason}")
    if not checked.readable:
        raise DataError(f"none of the photographs in {folder.root} can be read")
    hashes = [content_hash(path) for path in checked.readable]
    seen, new = set(known), []
    for row, found in enumerate(hashes):
        if found not in seen:
            seen.add(found)
            new.append(row)
    images = [checked.readable[row] for row in new]
    looks = [checked.looks[row] for row in new]
    old = len(hashes) - len(new)
    if old:
        progress.note(f"left out: {counted(old, 'photograph')} that the detector knows, or that are given twice")
    groups = np.empty(0, np.int64)
    if images:
        near = alike(looks)
        for finding in find_oddities(looks, near) if len(images) > 1 else ():
            progress.note(finding.line([visible(path.name) for path in images]))
        groups = np.arange(len(images), dtype=np.int64) if group == "none" else parts(looks, near)
        if group not in (None, "none"):
            groups = merged(grouping(str(group))(images, folder.root), groups)
    fit, validation, calibration = divided(groups, fraction, validating, seed)
    return NewPhotographs(
        root=folder.root,
        images=tuple(images),
        hashes=tuple(hashes[row] for row in new),
        groups=groups,
        fit=fit,
        validation=validation,
        calibration=calibration,
        known=old,
        skipped=tuple(name_below(path, folder.root) for path, _ in checked.skipped),
        fingerprint=fingerprint(images, folder.root),
    )


def divided(groups: Rows, fraction: float, validating: float, seed: int) -> tuple[Rows, Rows, Rows]:
    """Split rows by whole groups: to learn from, to choose the epoch, and to set the threshold.

    With few groups, the first is learned from and the next sets the threshold: an update from one part learns from it.
    """
    none = np.empty(0, np.int64)
    if not len(groups):
        return none, none, none
    rest, calibration = split_groups(groups, [fraction], seed)
    if not validating or not len(rest):
        return rest, none, calibration
    own = np.unique(groups[rest], return_inverse=True)[1].astype(np.int64)
    fit, validation = split_groups(own, [validating], seed + 1)
    return rest[fit], rest[validation], calibration
