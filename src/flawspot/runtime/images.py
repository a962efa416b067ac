"""Reading photographs of any origin into one form, (H, W, 3) uint8 RGB, without trusting the files.

A file is known by its first bytes, not by its suffix, and handed to exactly one decoder of Pillow: the formats that
photographs come in, and no other of Pillow's forty. Its size is read from the header and checked before anything is
decoded. Every way in which decoding can fail becomes an `ImageError` of one line.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from flawspot.errors import ImageError
from flawspot.runtime.marks import is_marked

MAX_PIXELS = 100_000_000
"""Pixels (width x height) that a photograph may have; 300 MB once decoded."""

MAX_FILE_BYTES = 512 * 2**20
"""Bytes that a file may have."""

IMAGE_SUFFIXES: frozenset[str] = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm"}
)
"""Suffixes, in lower case, of the files that count as images in a folder."""

_T = TypeVar("_T")
_Decoder = Callable[[IO[bytes]], Image.Image]

# Pillow's decoder classes rather than Image.open: that one warns and refuses by a limit that is global to the process
# and belongs to the host program. JPEG is JpegImageFile, so that of a multi-picture file (MPO) the first is read.
_DECODERS: tuple[tuple[re.Pattern[bytes], _Decoder], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImagePlugin.PngImageFile),
    (re.compile(rb"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile),
    (re.compile(rb"BM"), BmpImagePlugin.BmpImageFile),
    (re.compile(rb"II[*+]\x00|MM\x00[*+]"), TiffImagePlugin.TiffImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImagePlugin.WebPImageFile),
    (re.compile(rb"P[1-6]\s"), PpmImagePlugin.PpmImageFile),
)
_FORMATS = "PNG, JPEG, BMP, TIFF, WebP or PPM"

_EXIF_ORIENTATION = 0x0112
_MASK_LEVEL_JPEG = 128


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_FILE_BYTES) -> NDArray[np.uint8]:
    """Read a photograph as (H, W, 3) uint8 RGB, upright.

    The EXIF orientation is applied. Grey becomes three equal channels, palettes and CMYK their colours. Transparency is
    dropped, not composited: a pixel keeps the colour that is stored for it, as with Pillow's ``convert("RGB")``. Of 16
    bits the whole range 0..65535 is scaled to 0..255 (nothing is clipped, nothing stretched). Of a file with several
    frames the first is read. Colour profiles are not applied.

    Args:
        path: a PNG, JPEG, BMP, TIFF, WebP or PPM file; its suffix does not matter.
        max_pixels: largest width x height, checked before decoding.
        max_bytes: largest size of the file.

    Raises:
        ImageError: the file is missing, not a file, empty, too large, of another format, damaged or truncated, or holds
            floating-point values.
    """
    return decode(Path(path), to_rgb, max_pixels, max_bytes)


def read_mask(path: Path, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_FILE_BYTES) -> NDArray[np.bool_]:
    """Read a mask as (H, W) bool, upright: True where any channel is above zero, so 0/255 and 0/1 masks both serve.

    Transparency is ignored. JPEG does not keep zeros, so in a JPEG mask values from 128 on are True.

    Raises:
        ImageError: as `read_image`.
    """
    return decode(Path(path), _to_mask, max_pixels, max_bytes)


def to_rgb(image: NDArray[Any] | Image.Image) -> NDArray[np.uint8]:
    """Bring an image in memory to (H, W, 3) uint8 RGB by the rules of `read_image`.

    Args:
        image: a Pillow image (its EXIF orientation, if it still has one, is applied), or an array of bool, uint8 or
            uint16 and shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), in the order R, G, B, A (OpenCV's is B, G, R).
            A contiguous uint8 array of shape (H, W, 3) is not copied.

    Raises:
        ImageError: another shape or type; a Pillow image that cannot be decoded.
    """
    if not isinstance(image, Image.Image):
        return _array_to_rgb(np.asarray(image))
    try:
        image.load()
        if image.mode == "F":
            raise ImageError(
                "the image holds floating-point values, whose range is unknown: save it with 8 or 16 bits per channel"
            )
        if image.mode.startswith("I"):
            pixels = np.asarray(image)
            if pixels.min() < 0 or pixels.max() > 65535:
                raise ImageError(
                    f"the image holds values from {pixels.min()} to {pixels.max()}, outside 0 to 65535: "
                    "save it with 8 or 16 bits per channel"
                )
            rgb = _array_to_rgb(pixels.astype(np.uint16))
        else:
            rgb = np.array(_to_mode_rgb(image))  # a copy: Pillow's own buffer is not writeable
        return _upright(rgb, image)
    except ImageError:
        raise
    except Exception as error:  # as in decode
        raise ImageError(_one_line(_damaged(error))) from error


def decode(path: Path, convert: Callable[[Image.Image], _T], max_pixels: int, max_bytes: int) -> _T:
    """What `convert` makes of the image in a file, opened with the checks of `read_image`, but not yet decoded.

    Raises:
        ImageError: as `read_image`; in the place of whatever `convert` raises, too.
    """
    try:
        if path.is_dir():
            raise ImageError("it is a folder, not an image")
        if not path.exists():
            raise ImageError("there is no such file")
        if not path.is_file():
            raise ImageError("it is not a regular file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise ImageError("the file is empty")
            if size > max_bytes:
                raise ImageError(f"the file has {size:,} bytes, above the limit of {max_bytes:,}: save it smaller")
            start = file.read(16)
            file.seek(0)
            image = _decoder(start)(file)
            width, height = image.size
            if width * height > max_pixels:
                raise ImageError(
                    f"the image is {width} x {height} pixels, above the limit of {max_pixels:,} pixels: "
                    "shrink it, or raise max_pixels if you trust the file"
                )
            return convert(image)
    except ImageError as error:
        raise ImageError(_one_line(f"cannot read {path}: {error}")) from error.__cause__
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:  # from the operating system, not from Pillow
            raise ImageError(_one_line(f"cannot read {path}: {error.strerror}")) from error
        # On damaged files Pillow raises nearly anything: OSError, SyntaxError, ValueError, struct.error, zlib.error,
        # EOFError, KeyError, OverflowError, MemoryError, DecompressionBombError, ...
        raise ImageError(_one_line(f"cannot read {path}: {_damaged(error)}")) from error


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


def _decoder(start: bytes) -> _Decoder:
    for signature, decoder in _DECODERS:
        if signature.match(start):
            return decoder
    raise ImageError(f"it is not a {_FORMATS} file: save it as one of these")


def _to_mode_rgb(image: Image.Image) -> Image.Image:
    if "transparency" in image.info:
        # Pillow would warn, and try to carry the transparent colour over; we drop it.
        image = image.copy()
        del image.info["transparency"]
    # Colours multiplied by their alpha have no direct way to RGB in Pillow.
    unmultiplied = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)
    if unmultiplied:
        image = image.convert(unmultiplied)
    return image.convert("RGB")


def _array_to_rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    shape, dtype = pixels.shape, pixels.dtype
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.size == 0:
        raise ImageError(
            f"an image array must have the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {shape} of {dtype}"
        )
    pixels = pixels[:, :, :3]
    if dtype == np.bool_:
        pixels = pixels * np.uint8(255)
    elif dtype.kind == "u" and dtype.itemsize == 2:
        # round(v / 257) in integers: 257 is odd, so there are no halves.
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif dtype != np.uint8:
        cure = "multiply by 255 if it is in 0..1, and " if dtype.kind == "f" else ""
        raise ImageError(
            f"an image array must be of uint8, uint16 or bool, not {dtype} (shape {shape}): {cure}use astype(np.uint8)"
        )
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels)


def _to_mask(image: Image.Image) -> NDArray[np.bool_]:
    image.load()
    if image.format == "JPEG":
        mask = np.asarray(_to_mode_rgb(image)).max(axis=2) >= _MASK_LEVEL_JPEG
    elif image.mode == "F" or image.mode.startswith("I"):
        mask = np.asarray(image) > 0  # not scaled to 8 bits: 1 of 65535 is set too
    else:
        mask = np.asarray(_to_mode_rgb(image)).any(axis=2)
    return _upright(mask, image)


def _upright(pixels: NDArray[Any], image: Image.Image) -> NDArray[Any]:
    """`pixels` (H, W, ...) turned and mirrored as the EXIF orientation of `image` says (CIPA DC-008, tag 0x0112)."""
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # broken EXIF data does not make the photograph unreadable
        orientation = 1
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _damaged(error: Exception) -> str:
    reason = str(error) or type(error).__name__
    return f"the image is damaged ({reason[:200]}): copy it again, or take the photograph again"


def _one_line(message: str) -> str:
    """`message` without line breaks and whatever else a hostile file name or file may put into a terminal."""
    return "".join(character if character.isprintable() else "?" for character in message)
