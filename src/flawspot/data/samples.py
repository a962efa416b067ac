"""The photographs of one product: what each is used for, and what was left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawspot.texts import visible

GOOD = "good"
UNREAD = "of a kind that is not read"
"""The reason for leaving out files that may be photographs. Their contents are not inspected."""


def name_below(path: Path, root: Path) -> str:
    """Printable name of a file below `root`, with forward slashes (`flawspot.texts.visible`); else its whole path."""
    return visible((path.relative_to(root) if path.is_relative_to(root) else path).as_posix())


@dataclass(frozen=True)
class Sample:
    """A test image with its ground truth.

    Attributes:
        path: the photograph.
        defect: the kind of defect, from the name of its folder; None for a good part.
        mask: the file that marks the defect, a picture or annotations as JSON; None if there is no ground truth. The
            mask of a good part must mark nothing.
        more_masks: further masks, if a data set has one for each defect.
        background: the background colour (red, green, blue) of a mask; None for black.
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
        """All files that mark the defects."""
        return () if self.mask is None else (self.mask, *self.more_masks)


@dataclass(frozen=True)
class Taken:
    """How one folder, or one label of a list, was read.

    Attributes:
        folder: relative to the data, with forward slashes; ``.`` for the data itself.
        role: such as ``good, to learn from``.
        count: the number of photographs or masks.
    """

    folder: str
    role: str
    count: int


@dataclass(frozen=True)
class LeftOut:
    """Files that are not used.

    Attributes:
        folder: as in `Taken`.
        reason: the reason, in one line.
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
        test: the test images, good and defective, by folder in natural order; empty for a plain folder. If folders are
            named good and defective, but not train and test, the good ones are used for both.
        taken: how each folder was read.
        left_out: files that are not used, and why.
        masks_fault: why figures at pixel level are impossible although there are masks, for example because one is
            missing; None if nothing is wrong. Anything that needs no masks ignores it.
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
        """Whether there are defective test images, and each has a mask, so that pixel-level metrics are possible."""
        masks = [sample.mask for sample in self.test if sample.is_defective]
        return bool(masks) and None not in masks

    @property
    def unread(self) -> tuple[Path, ...]:
        """Files that may be photographs, but are of kinds that are not read."""
        return tuple(path for left in self.left_out if left.reason == UNREAD for path in left.paths)

    @property
    def tested_on_what_is_learned(self) -> bool:
        """Whether the same photographs are used for training and for testing."""
        learned = set(self.train)
        return any(sample.path in learned for sample in self.test)

    def without(self, unreadable: Iterable[Path]) -> ImageFolder:
        """A copy in which unreadable photographs are left out. `taken` still counts them."""
        paths = tuple(unreadable)
        left_out = (*self.left_out, LeftOut(".", "cannot be read", paths)) if paths else self.left_out
        return dataclasses.replace(self, left_out=left_out)

    def as_dict(self) -> dict[str, Any]:
        """How the folders were read, and what was left out, as JSON values."""
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
