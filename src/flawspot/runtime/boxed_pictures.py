"""AVIF and HEIC files. Both are made of boxes, and the brands at their beginning tell them apart."""

from __future__ import annotations

import importlib.util
from typing import IO, cast

from PIL import Image, features

from flawspot.errors import ImageError
from flawspot.runtime.avif_checks import check_avif
from flawspot.runtime.heic_checks import check_heic
from flawspot.runtime.items import brands

_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"})
_START = 4096


def check_boxed(file: IO[bytes]) -> float:
    """Check a file; see `check_avif` and `check_heic`.

    Raises:
        ImageError: as for these; the file is neither; or the package that reads it is not installed.
    """
    if _is_avif(file):
        if not features.check("avif"):
            raise ImageError("this Pillow does not read AVIF: install Pillow 11.3 or newer, or save it as PNG or JPEG")
        return check_avif(file)
    if importlib.util.find_spec("pillow_heif") is None:
        raise ImageError("it is a HEIC file, which needs a plug-in: pip install pillow-heif, or save it as JPEG or PNG")
    return check_heic(file)


def open_boxed(file: IO[bytes]) -> Image.Image:
    """Open a checked file."""
    if _is_avif(file):
        from PIL import AvifImagePlugin

        return AvifImagePlugin.AvifImageFile(file)
    plugin = importlib.import_module("pillow_heif.as_plugin")
    return cast(Image.Image, plugin.HeifImageFile(file))


def _is_avif(file: IO[bytes]) -> bool:
    file.seek(0)
    named = brands(file.read(_START))
    file.seek(0)
    if not named & (_AVIF | _HEIC):
        raise ImageError("it is a film or another file of boxes, not a picture: save one picture of it as PNG or JPEG")
    return bool(named & _AVIF)
