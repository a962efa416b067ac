"""From what a user names, files, folders and patterns, to the photographs that are meant."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flawspot.errors import DataError
from flawspot.files import is_folder, is_there
from flawspot.runtime.listing import list_images
from flawspot.runtime.marks import is_marked


@dataclass(frozen=True)
class Photographs:
    """What was found.

    Attributes:
        found: each photograph once, with its path below the folder that it was found in.
        drawn: how many pictures of flawspot's own were passed over.
    """

    found: tuple[tuple[Path, Path], ...]
    drawn: int


def find_photographs(names: Sequence[str]) -> Photographs:
    """Resolve folders and patterns such as ``new/*.png``.

    Pictures that flawspot has drawn are passed over, unless one is named itself.

    Raises:
        DataError: a folder without images, or a pattern that matches nothing.
        ImageError: a folder that cannot be listed.
    """
    found: dict[Path, Path] = {}
    drawn: set[Path] = set()
    for name in names:
        path = Path(name)
        if is_folder(path):
            candidates = {image: image.relative_to(path) for image in list_images(path)}
            missing = f"no images in {path}: give a folder with PNG, JPEG, TIFF, BMP or WebP files"
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
    return Photographs(tuple(found.items()), len(drawn - found.keys()))
