"""Silences libtiff, which decodes most TIFF files for Pillow and writes messages directly to standard error."""

from __future__ import annotations

import contextlib
import ctypes
import functools
from pathlib import Path

import PIL
from PIL import features


@functools.cache
def quieten() -> None:
    """Turn off libtiff's own messages. The error that Pillow raises has what matters.

    Done once in a process. If the library cannot be found, as on Windows, nothing is changed.
    """
    if not features.check("libtiff"):
        return
    package = Path(PIL.__file__).parent
    bundled = [*(package.parent / "pillow.libs").glob("libtiff*"), *(package / ".dylibs").glob("libtiff*")]
    for library in [*map(str, bundled), "libtiff.so.6", "libtiff.so.5", "libtiff.6.dylib"]:
        with contextlib.suppress(OSError, AttributeError):
            tiff = ctypes.CDLL(library)
            for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
                handler = getattr(tiff, name)
                handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
                handler(None)
            return
