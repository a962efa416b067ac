"""The photographs of one product, what each is for, and what was left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawspot.texts import visible

GOOD = "good"
UNREAD = "of a kind that is not read"
"""The reason why files are left out that may hold photographs; nobody has looked at them."""


def name_below(path: Path, root: Path) -> str:
    """What a file is called below `root`, with forward slashes, as `flawspot.texts.visible`; else its whole path."""
    return visible((path.relative_to(root) if path.is_relative_to(root) else path).as_posix())


@dataclass(frozen=True)
class Sample:
    """A test image with its truth.

    Attributes:
        path: the photograph.
        defect: the kind of defect, after the name of its folder; None for a good part.
        mask: the file that says where the defect is, a picture or annotations as JSON; None where no ground truth is at
            hand. That of a good part must mark nothing.
        more_masks: further files that do, where a data set has one for each defect.
        background: the colour (red, green, blue) of a mask where no defect is; None for black.
    """

    path: Path
    defect: str | None
    mask: Path | None
    more_masks: tuple[Path, ...] = ()
    background: tuple[int, int, int] | None = None

    @property
    def is_defective(self) -> bool:
        return self.defect is not None

    @property
    def masks(self) -> tuple[Path, ...]:
        """All files that say where the defects are."""
        return () if self.mask is None else (self.mask, *self.more_masks)


@dataclass(frozen=True)
class Taken:
    """What one folder, or one label of a list, was taken for.

    Attributes:
        folder: relative to the data, with forward slashes; ``.`` for the data itself.
        role: such as ``good, to learn from``.
        count: of photographs, or of masks.
    """

    folder: str
    role: str
    count: int


@dataclass(frozen=True)
class LeftOut:
    """Files that serve for nothing.

    Attributes:
        folder: as in `Taken`.
        reason: why, in one line.
        paths: the files.
    """

    folder: str
    reason: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class ImageFolder:
    """The photographs of one product.

    Attributes:
        name: the name of the folder.
        root: the folder.
        train: photographs of good parts, in natural order; empty if the folder has only a test set.
        test: the test images, good ones and defective ones, by folder in natural order; empty for a plain folder.
            Where folders are named good and defective, but not train and test, the good ones serve for both.
        taken: what was taken for what, folder by folder.
        left_out: what serves for nothing, and why.
        masks_fault: why no figures at pixel level can be had though there are masks, such as one that is missing; None
            where nothing is wrong. What needs no masks does not mind.
    """

    name: str
    root: Path
    train: tuple[Path, ...]
    test: tuple[Sample, ...]
    taken: tuple[Taken, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    masks_fault: str | None = None

    @property
    def has_masks(self) -> bool:
        """Whether every defective test image has a mask, and there is one: whether pixel-level metrics can be had."""
        masks = [sample.mask for sample in self.test if sample.is_defective]
        return bool(masks) and None not in masks

    @property
    def unread(self) -> tuple[Path, ...]:
        """Files that may hold photographs, of kinds that are not read."""
        return tuple(path for left in self.left_out if left.reason == UNREAD for path in left.paths)

    @property
    def tested_on_what_is_learned(self) -> bool:
        """Whether photographs serve for training and for testing."""
        learned = set(self.train)
        return any(sample.path in learned for sample in self.test)

    def without(self, unreadable: Iterable[Path]) -> ImageFolder:
        """The same, with the unreadable among what was left out; `taken` says what they were found as."""
        paths = tuple(unreadable)
        left_out = (*self.left_out, LeftOut(".", "cannot be read", paths)) if paths else self.left_out
        return dataclasses.replace(self, left_out=left_out)

    def as_dict(self) -> dict[str, Any]:
        """What was taken for what and what was left out, as JSON has it."""
        return {
            "taken": [{"folder": visible(t.folder), "role": visible(t.role), "count": t.count} for t in self.taken],
            "left_out": [
                {
                    "folder": visible(left.folder),
                    "reason": visible(left.reason),
                    "count": len(left.paths),
                    "names": [visible(path.name) for path in left.paths],
                }
                for left in self.left_out
            ],
        }
