"""Marks the pictures that flawspot draws, so that it never takes them for photographs.

The mark is text in a place of the image format: ``Software`` in a PNG, the comment in a JPEG. Both come before the
pixels, so the first bytes of a file are enough to find it.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from flawspot.errors import ConfigurationError
from flawspot.files import special_kind

_MARK = "flawspot"
_JPEG_QUALITY = 90
_LOOK = 128  # bytes
# A PNG has its header chunk before the mark, and a JPEG its JFIF segment.
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", b"tEXtSoftware\x00" + _MARK.encode()),
    (b"\xff\xd8\xff", b"\xff\xfe" + (2 + len(_MARK)).to_bytes(2, "big") + _MARK.encode()),
)


def save_marked(image: Image.Image, path: Path) -> None:
    """Write `image` to `path` with the mark, as a PNG or JPEG according to the suffix.

    Raises:
        ConfigurationError: another suffix.
        OSError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".png":
        text = PngInfo()
        text.add_text("Software", _MARK)
        image.save(path, format="PNG", pnginfo=text)
    elif suffix in (".jpg", ".jpeg"):
        image.save(path, format="JPEG", quality=_JPEG_QUALITY, comment=_MARK.encode())
    else:
        raise ConfigurationError(f"cannot draw a picture into {path.name}: give it the suffix .png or .jpg")


def is_marked(path: Path) -> bool:
    """Whether flawspot has drawn the picture in the file; False if this cannot be found out."""
    try:
        if special_kind(path) is not None:  # a pipe would block
            return False
        with path.open("rb") as file:
            start = file.read(_LOOK)
    except OSError:
        return False
    return any(start.startswith(signature) and mark in start for signature, mark in _BEGINNINGS)
