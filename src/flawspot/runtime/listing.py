"""The image files in a folder, in an order that is the same everywhere."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from flawspot.errors import ImageError
from flawspot.runtime.marks import is_marked

IMAGE_SUFFIXES: frozenset[str] = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm"}
)
"""Suffixes, in lower case, of the files that count as images in a folder."""


def find_images(folder: Path, *, recursive: bool = True) -> list[Path]:
    """The photographs in `folder`: what `list_images` lists, but for the pictures that flawspot itself has drawn.

    Raises:
        ImageError: `folder` or a folder in it cannot be listed.
    """
    return [path for path in list_images(folder, recursive=recursive) if not is_marked(path)]


def list_images(folder: Path, *, recursive: bool = True) -> list[Path]:
    """The image files in `folder`, in natural order ("2.png" before "10.png"), the same on every operating system.

    What counts is the suffix, in upper or lower case. Names that begin with a dot, as ``.DS_Store`` or the ``._x`` that
    macOS leaves on memory cards, are passed over, folders too. Linked folders are followed, each one once.

    Raises:
        ImageError: `folder` or a folder in it cannot be listed.
    """

    def fail(error: OSError) -> None:
        raise ImageError(f"cannot list the folder {error.filename}: {error.strerror or error}") from error

    found: list[Path] = []
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        seen.add(os.path.realpath(parent))
        within = sorted(name for name in folders if not name.startswith(".")) if recursive else []
        folders[:] = [name for name in within if os.path.realpath(Path(parent, name)) not in seen]
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                found.append(Path(parent, name))  # noqa: PERF401
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder)))


def natural_key(path: Path) -> tuple[list[list[str | int]], str]:
    """Sorting key of a relative path: folder by folder, numbers by value, capitals and small letters together."""
    name = unicodedata.normalize("NFC", path.as_posix())
    parts = [re.split("([0-9]+)", part.casefold()) for part in name.split("/")]
    # re.split gives text, number, text, number, ... so that only like is compared with like.
    return [[int(piece) if i % 2 else piece for i, piece in enumerate(part)] for part in parts], name
