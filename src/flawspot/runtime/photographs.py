"""Resolves the files, folders and patterns that a user names to photographs."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flawspot.errors import DataError
from flawspot.files import is_folder, is_there
from flawspot.runtime.listing import list_files
from flawspot.runtime.marks import is_marked


@dataclass(frozen=True)
class Photographs:
    """The photographs found.

    Attributes:
        found: each photograph once, with its path below its folder.
        drawn: the number of skipped pictures that flawspot itself drew.
        unread: files in the folders that may be photographs, but of kinds that are not read.
        companions: texts, tables and programs in the folders, which are not photographs.
    """

    found: tuple[tuple[Path, Path], ...]
    drawn: int
    unread: tuple[Path, ...] = ()
    companions: tuple[Path, ...] = ()


def find_photographs(names: Sequence[str]) -> Photographs:
    """Resolve folders and patterns such as ``new/*.png``.

    Pictures that flawspot drew are skipped, unless they are named themselves.

    Raises:
        DataError: a folder has no images, or a pattern matches nothing.
        ImageError: a folder cannot be listed.
    """
    found: dict[Path, Path] = {}
    drawn: set[Path] = set()
    unread: dict[Path, None] = {}
    companions: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if is_folder(path):
            listing = list_files(path)
            candidates = {image: image.relative_to(path) for image in listing.images}
            unread |= dict.fromkeys(listing.unread)
            companions |= dict.fromkeys(listing.companions)
            others = f"; the {len(listing.unread)} files in it are of kinds that are not read" if listing.unread else ""
            missing = f"no images in {path}: give a folder with PNG, JPEG, TIFF, BMP or WebP files{others}"
        elif glob.has_magic(name) and not is_there(path):
            matches = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207
            candidates = {match: Path(match.name) for match in matches if match.is_file()}
            missing = f"no file matches {name}: check the pattern"
        else:
            # A missing file is reported as unreadable with the others, so that it does not stop a batch.
            found.setdefault(path, Path(path.name))
            continue
        own = {image for image in candidates if is_marked(image)}
        if len(own) == len(candidates):
            raise DataError(f"{missing}; pictures that flawspot drew do not count" if own else missing)
        drawn |= own
        for image, relative in candidates.items():
            if image not in own:
                found.setdefault(image, relative)
    left = (tuple(path for path in paths if path not in found) for paths in (unread, companions))
    return Photographs(tuple(found.items()), len(drawn - found.keys()), *left)
