"""Lists the image files in a folder, in the same order on every system, and the other files there."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flawspot.errors import ImageError
from flawspot.runtime.marks import is_marked

_IMAGES = (
    ".png .apng .jpg .jpeg .jpe .jfif .mpo .bmp .dib .tif .tiff .webp .ppm .pgm .pbm .pnm .gif .jp2 .j2k .jpc "
    ".avif .heic .heif"
)
_COMPANIONS = (
    ".txt .md .rst .csv .tsv .json .jsonl .manifest .xml .yaml .yml .toml .ini .cfg .log .html .htm .pdf .py .sh .bat "
    ".sha256 .md5 .onnx .npy .npz .pkl .sqlite .xlsx .xls .doc .docx"
)

IMAGE_SUFFIXES: frozenset[str] = frozenset(_IMAGES.split())
"""Suffixes, in lower case, of the files that count as images in a folder."""

COMPANION_SUFFIXES: frozenset[str] = frozenset(_COMPANIONS.split())
"""Suffixes of texts, tables and programs that often accompany photographs. A name without a suffix may be one too."""
_COMPANION_NAMES = frozenset({"license", "licence", "readme", "makefile", "copying", "checksums", "sha256sums"})
_FILMS = ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .mjpeg .mjpg .ts"
FILM_SUFFIXES: frozenset[str] = frozenset(_FILMS.split())
"""Suffixes of films. A film is read only if it is named itself."""
_UNFINISHED = ".part .partial .filepart .tmp .temp .crdownload .download .writing .lock"
UNFINISHED_SUFFIXES: frozenset[str] = frozenset(_UNFINISHED.split())
"""Suffixes of files that a program is still writing and will rename when they are complete."""
_SYSTEM_NAMES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_SYSTEM_FOLDERS = frozenset({"__macosx", "$recycle.bin", "system volume information", "@eadir"})
"""Names that operating systems create, besides those that begin with a dot."""


@dataclass(frozen=True)
class Listing:
    """The files of a folder, each list in natural order.

    Attributes:
        images: files with the suffix of an image.
        unread: files of kinds that are not read, such as raw photographs, videos and archives. Their contents are not
            inspected.
        companions: texts, tables and programs, which are not photographs.
    """

    images: list[Path]
    unread: list[Path]
    companions: list[Path]


def find_images(folder: Path, *, recursive: bool = True) -> list[Path]:
    """The photographs in `folder`: those of `list_images`, without the pictures that flawspot drew.

    Raises:
        ImageError: `folder` or a folder in it cannot be listed.
    """
    return [path for path in list_images(folder, recursive=recursive) if not is_marked(path)]


def list_images(folder: Path, *, recursive: bool = True) -> list[Path]:
    """The image files in `folder`, in natural order ("2.png" before "10.png"), the same on every operating system.

    Files are recognized by their suffix, in upper or lower case; see `list_files`.

    Raises:
        ImageError: `folder` or a folder in it cannot be listed.
    """
    return list_files(folder, recursive=recursive).images


def list_files(folder: Path, *, recursive: bool = True) -> Listing:
    """All files in `folder`, sorted by kind according to their names.

    Skipped are names that begin with a dot, such as ``.DS_Store`` or the ``._x`` that macOS leaves on memory cards,
    folders included, and ``Thumbs.db`` and similar files. Linked folders are followed, each one once.

    Raises:
        ImageError: `folder` or a folder in it cannot be listed.
    """
    listing = Listing([], [], [])
    for parent, names in _walk(folder, recursive):
        for name in names:
            if not name.startswith(".") and name.lower() not in _SYSTEM_NAMES:
                _list_of(listing, name).append(Path(parent, name))
    for paths in (listing.images, listing.unread, listing.companions):
        paths.sort(key=lambda path: natural_key(path.relative_to(folder)))
    return listing


def is_photograph_place(relative: Path) -> bool:
    """Whether `list_files` would list a file at this path below its folder, as an image or as an unread file."""
    *folders, name = relative.parts or ("",)
    passed = name.startswith(".") or name.lower() in _SYSTEM_NAMES or any(map(_passed_over, folders))
    listing = Listing([], [], [])
    return not passed and _list_of(listing, name) is not listing.companions


def unread_reason(path: Path) -> str:
    """One line about a file of a kind that is not read. It names the file, which has not been judged."""
    suffix = path.suffix.lower()
    if suffix in FILM_SUFFIXES:
        return f"{path} is a film, which must be named itself: flawspot predict DETECTOR FILM"
    return f"{path} is of a kind that is not read ({suffix or 'no suffix'}): save it as PNG or JPEG"


def _walk(folder: Path, recursive: bool) -> Iterator[tuple[str, list[str]]]:
    def fail(error: OSError) -> None:
        raise ImageError(f"cannot list the folder {error.filename}: {error.strerror or error}") from error

    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        seen.add(os.path.realpath(parent))
        within = sorted(name for name in folders if not _passed_over(name)) if recursive else []
        folders[:] = [name for name in within if os.path.realpath(Path(parent, name)) not in seen]
        yield parent, names


def _passed_over(folder: str) -> bool:
    return folder.startswith(".") or folder.lower() in _SYSTEM_FOLDERS


def _list_of(listing: Listing, name: str) -> list[Path]:
    suffix = Path(name).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return listing.images
    return listing.companions if suffix in COMPANION_SUFFIXES or name.lower() in _COMPANION_NAMES else listing.unread


def natural_key(path: Path) -> tuple[list[list[str | int]], str]:
    """Sorting key of a relative path: folder by folder, numbers by value, capitals and small letters together."""
    name = unicodedata.normalize("NFC", path.as_posix())
    parts = [re.split("([0-9]+)", part.casefold()) for part in name.split("/")]
    # re.split gives text, number, text, number, ..., so texts are compared with texts only.
    return [[int(piece) if i % 2 else piece for i, piece in enumerate(part)] for part in parts], name
