"""libtiff, which Pillow decodes most TIFF files with, writes complaints to standard error past everything else."""

from __future__ import annotations

import contextlib
import ctypes
import functools
from pathlib import Path

import PIL
from PIL import features


@functools.cache
def quieten() -> None:
    """Take its own messages from libtiff; what matters of them is in the error that Pillow raises.

    Done once in a process. Where the library cannot be found, as on Windows, it stays as it is.
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
