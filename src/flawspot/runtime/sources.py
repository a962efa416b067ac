"""The forms in which a photograph may be given, and their conversion for a detector."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.errors import ImageError
from flawspot.files import is_folder
from flawspot.runtime.decoding import MAX_FILE_BYTES, MAX_PIXELS
from flawspot.runtime.images import WHITE
from flawspot.runtime.photographs import find_photographs
from flawspot.runtime.reduced import Decoded, prepare, read_photograph
from flawspot.runtime.view import View

Name = str | os.PathLike[str]
Photograph = Name | bytes | bytearray | memoryview | IO[bytes] | NDArray[np.generic] | Image.Image | Decoded
"""A path; the bytes of a file, or a file open for reading; pixels in memory; the result of `Detector.read`."""


def several(source: Photograph | Iterable[Photograph]) -> Iterable[Photograph] | None:
    """The photographs if `source` is several: those in a folder and below, or the items of an iterable. Else None.

    Raises:
        DataError: a folder has no photographs.
        ImageError: a folder cannot be listed.
    """
    if isinstance(source, np.ndarray):
        return source if source.ndim == 4 else None
    if isinstance(source, str | os.PathLike):
        if not is_folder(source):
            return None
        return [path for path, _ in find_photographs([os.fspath(source)]).found]
    if isinstance(source, bytes | bytearray | memoryview | Image.Image | Decoded) or hasattr(source, "read"):
        return None
    return source if isinstance(source, Iterable) and not hasattr(source, "__array__") else None


def path_of(source: Photograph) -> Path | None:
    """The file that `source` names, or was decoded from."""
    if isinstance(source, str | os.PathLike):
        return Path(source)
    return source.path if isinstance(source, Decoded) else None


def decoded(
    source: Photograph, view: View, *, white: int = WHITE, fast_jpeg: bool = False, max_pixels: int = MAX_PIXELS
) -> Decoded:
    """The photograph, prepared for a detector; see `flawspot.runtime.reduced.read_photograph`.

    Raises:
        ImageError: it cannot be read, or is not a form of photograph.
    """
    if isinstance(source, Decoded):
        return source
    content: Path | bytes
    if isinstance(source, str | os.PathLike):
        content = Path(source)
    elif isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
    elif isinstance(source, np.ndarray | Image.Image):
        return prepare(source, view, white)
    elif hasattr(source, "read"):
        content = _content(source)
    else:
        return prepare(_array(source), view, white)
    return read_photograph(content, view, white=white, fast_jpeg=fast_jpeg, max_pixels=max_pixels)


def _content(file: IO[bytes]) -> bytes:
    try:
        data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read the file given: {error}") from error
    if not isinstance(data, bytes):
        raise ImageError("cannot read the file given: open it with mode 'rb', not in text mode")
    return data


def _array(source: Any) -> NDArray[Any]:
    """Pixels from any other object that describes them, as arrays of other packages do."""
    if not (hasattr(source, "__array__") or hasattr(source, "__array_interface__")):
        raise ImageError(
            f"a {type(source).__name__} is not a photograph: give a path, bytes, a file, a Pillow image or an array"
        )
    return np.asarray(source)
