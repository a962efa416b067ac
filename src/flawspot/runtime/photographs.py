"""From what a user names, files, folders and patterns, to the photographs that are meant."""

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
    """What was found.

    Attributes:
        found: each photograph once, with its path below the folder that it was found in.
        drawn: how many pictures of flawspot's own were passed over.
        unread: files in the folders that may hold photographs, of kinds that are not read.
        companions: texts, tables and programs in the folders, which hold none.
    """

    found: tuple[tuple[Path, Path], ...]
    drawn: int
    unread: tuple[Path, ...] = ()
    companions: tuple[Path, ...] = ()


def find_photographs(names: Sequence[str]) -> Photographs:
    """Resolve folders and patterns such as ``new/*.png``.

    Pictures that flawspot has drawn are passed over, unless one is named itself.

    Raises:
        DataError: a folder without images, or a pattern that matches nothing.
        ImageError: a folder that cannot be listed.
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
