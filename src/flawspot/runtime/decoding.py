"""Opens the file of a photograph without trusting it.

A file is recognized by its first bytes, not by its suffix, and given to exactly one decoder of Pillow. Only formats of
photographs are accepted, not all of Pillow's forty. What the file claims is checked before decoding (`file_checks`):
its size, the memory it will take, the work it asks for. Every failure to decode becomes an `ImageError` of one line.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from flawspot.errors import ImageError
from flawspot.runtime.boxed_pictures import check_boxed, open_boxed
from flawspot.runtime.file_checks import check_bmp, check_jpeg, check_png, check_ppm, check_webp, file_size
from flawspot.runtime.gif_checks import check_gif
from flawspot.runtime.jpeg2000_checks import check_jpeg2000
from flawspot.runtime.libtiff import quieten
from flawspot.runtime.memory import give_back_freed_memory
from flawspot.runtime.multi_picture import photograph_in
from flawspot.runtime.netpbm import read_scaled
from flawspot.runtime.tiff_checks import check_tiff, is_inverted, picture_page

MAX_PIXELS = 100_000_000
"""Most pixels (width x height) of a photograph; 300 MB once decoded."""

MAX_ASPECT = 64
"""Largest ratio of the longer side to the shorter one. No camera exceeds it. A graph that resizes one side first would
need memory for a picture as wide as it is long."""

BYTES_PER_PIXEL = 4.6
"""Bytes of memory that decoding may take for each pixel of the largest allowed photograph: 460 MB. Pillow keeps four
bytes a pixel. Progressive JPEG, WebP and TIFF in one piece need more, so they must be smaller."""

LARGE = 32 << 20
"""After decoding a photograph of this many bytes, memory is given back to the system."""

MAX_FILE_BYTES = 512 * 2**20
"""Most bytes of a file."""

# Pillow's log messages go to handlers that the host program has set up, not to the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())

Source = Path | bytes
"""A file's path or its bytes."""

WHITE_IS_ZERO = "flawspot_white_is_zero"
"""Key in a Pillow image's ``info``: the values are inverted, and Pillow has left them so."""

_T = TypeVar("_T")
_Check = Callable[[IO[bytes]], bool | float | None]
"""A check of a file. It returns whether the decoder keeps the whole picture's coefficients, or the bytes that it takes
besides the picture."""
_Decoder = Callable[[IO[bytes]], Image.Image]


def _jpeg2000(file: IO[bytes]) -> Image.Image:
    if not features.check("jpg_2000"):
        raise ImageError("this Pillow does not read JPEG 2000: save it as PNG or JPEG")
    return Jpeg2KImagePlugin.Jpeg2KImageFile(file)


# Pillow's decoder classes are used instead of Image.open, which warns and refuses by a limit that is global to the
# process and belongs to the host program. JPEG is JpegImageFile: `photograph_in` says which picture of a multi-picture
# file (MPO) is read.
_FORMATS: tuple[tuple[re.Pattern[bytes], _Check, _Decoder], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), check_png, PngImagePlugin.PngImageFile),
    (re.compile(rb"\xff\xd8\xff"), check_jpeg, JpegImagePlugin.JpegImageFile),
    (re.compile(rb"BM"), check_bmp, BmpImagePlugin.BmpImageFile),
    (re.compile(rb"II[*+]\x00|MM\x00[*+]"), check_tiff, TiffImagePlugin.TiffImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), check_webp, WebPImagePlugin.WebPImageFile),
    (re.compile(rb"P[1-6]\s"), check_ppm, PpmImagePlugin.PpmImageFile),
    (re.compile(rb"GIF8[79]a"), check_gif, GifImagePlugin.GifImageFile),
    (re.compile(rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n"), check_jpeg2000, _jpeg2000),
    (re.compile(rb"....ftyp", re.DOTALL), check_boxed, open_boxed),
)


def decode(source: Source, convert: Callable[[Image.Image], _T], max_pixels: int, max_bytes: int) -> _T:
    """Apply `convert` to the image in a file, opened with the checks of `read_image` but not yet decoded.

    Raises:
        ImageError: as for `read_image`; it also replaces any error that `convert` raises.
    """
    name = "the bytes given" if isinstance(source, bytes) else source
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else _opened(source) as file:
            size = file_size(file)
            if size == 0:
                raise ImageError("there are no bytes" if isinstance(source, bytes) else "the file is empty")
            if size > max_bytes:
                raise ImageError(f"the file has {size:,} bytes, above the limit of {max_bytes:,}: save it smaller")
            start = file.read(16)
            file.seek(0)
            check, decoder = _format(start)
            if decoder is JpegImagePlugin.JpegImageFile:
                file = photograph_in(file)
                file.seek(0)
            asked = check(file)
            file.seek(0)
            if decoder is TiffImagePlugin.TiffImageFile:
                quieten()
            with _pillow.silent():
                return _converted(decoder(file), file, convert, max_pixels, asked)
    except ImageError as error:
        _let_go(error)
        raise ImageError(f"cannot read {name}: {error}") from error.__cause__
    except Exception as error:
        _let_go(error)
        if isinstance(error, OSError) and error.strerror:  # from the operating system, not from Pillow
            raise ImageError(f"cannot read {name}: {error.strerror}") from error
        # On damaged files Pillow raises almost any error: OSError, SyntaxError, ValueError, struct.error, zlib.error,
        # EOFError, KeyError, OverflowError, MemoryError, DecompressionBombError, ...
        raise ImageError(f"cannot read {name}: {damaged(error)}") from error


def _opened(path: Path) -> IO[bytes]:
    if path.is_dir():
        raise ImageError("it is a folder, not an image")
    if not path.exists():
        raise ImageError("there is no such file")
    if not path.is_file():
        raise ImageError("it is not a regular file")
    return path.open("rb")


def _converted(
    image: Image.Image,
    file: IO[bytes],
    convert: Callable[[Image.Image], _T],
    max_pixels: int,
    asked: bool | float | None,
) -> _T:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        image.seek(picture_page(file))
        if is_inverted(file):
            image.info[WHITE_IS_ZERO] = True
    needed = _check_size(image, max_pixels, asked)
    with _memory.taken(needed, BYTES_PER_PIXEL * max_pixels):
        result = convert(read_scaled(file) or image if image.format == "PPM" else image)
        del image
        if needed > LARGE:
            give_back_freed_memory()
    return result


def _let_go(error: Exception) -> None:
    """Drop the pixels decoded so far. They are held by the frames in `error`, and live as long as it does."""
    chain: BaseException | None = error
    while chain is not None:
        traceback.clear_frames(chain.__traceback__)
        chain = chain.__cause__ or chain.__context__
    give_back_freed_memory()


def _format(start: bytes) -> tuple[_Check, _Decoder]:
    for signature, check, decoder in _FORMATS:
        if signature.match(start):
            return check, decoder
    raise ImageError("it is not a PNG, JPEG, BMP, TIFF, WebP, GIF, JPEG 2000, AVIF or PPM file: save it as PNG or JPEG")


def _check_size(image: Image.Image, max_pixels: int, asked: bool | float | None) -> int:
    """Bytes of memory that decoding will take. Refuses pictures that are too large or of a shape that no camera
    makes."""
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            f"the image is {width} x {height} pixels, above the limit of {max_pixels:,} pixels: "
            "shrink it, or raise the limit (max_pixels, --max-pixels) if you trust the file"
        )
    check_aspect(width, height)
    beside = asked if isinstance(asked, float) else 0
    needed = int(width * height * _bytes_per_pixel(image, asked is True) + beside)
    if needed > BYTES_PER_PIXEL * max_pixels:
        raise ImageError(
            f"decoding this {image.format} of {width} x {height} pixels takes {needed / 1e6:,.0f} MB, more than the "
            f"{BYTES_PER_PIXEL * max_pixels / 1e6:,.0f} allowed: save it as PNG or baseline JPEG, or shrink it"
        )
    return needed


def check_aspect(width: int, height: int) -> None:
    """Raises ImageError where one side is more than `MAX_ASPECT` times the other."""
    if max(width, height) > MAX_ASPECT * max(min(width, height), 1):
        raise ImageError(
            f"the image is {width} x {height} pixels, one side over {MAX_ASPECT} times the other: cut it into pieces"
        )


def _bytes_per_pixel(image: Image.Image, buffered: bool) -> float:
    """Most bytes that Pillow and the decoder behind it keep for each pixel."""
    stored = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}.get(image.mode, 4)
    bands = len(image.getbands())
    if buffered:
        return stored + 2 * bands  # the coefficients of the whole picture
    if isinstance(image, WebPImagePlugin.WebPImageFile):
        return stored + 10  # two canvases, and the decoder's own planes
    if isinstance(image, PpmImagePlugin.PpmImageFile) and image.tile and image.tile[0][0] == "ppm":
        return stored + (2 if image.mode == "I" else bands)  # scaled values, before they become an image
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.info.get("compression", "raw") != "raw":
        rows = image.tag_v2.get(278, image.height)
        in_one = min(rows if isinstance(rows, int) else image.height, image.height) / image.height
        bits = image.tag_v2.get(258, (8,))
        deep = max(bits) if isinstance(bits, tuple) and bits else 8
        return stored + in_one * max(stored, bands * deep / 8)
    return stored


class _Memory:
    """Memory in use by all decoding threads. They wait for each other if the sum would be too large."""

    def __init__(self) -> None:
        self._taken = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, size: int, bound: float) -> Iterator[None]:
        """Reserve `size` bytes for a ``with`` block, once that many of `bound` are free."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= bound)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


_memory = _Memory()


class _Pillow:
    """Turns off warnings of Pillow itself, such as on broken EXIF data, while any thread decodes.

    `warnings.catch_warnings` would restore outdated filters when threads overlap.
    """

    def __init__(self) -> None:
        self._decoding = 0
        self._lock = threading.Lock()
        self._filter: Any = None

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Turn them off in a ``with`` block. The host program's own filters stay."""
        with self._lock:
            self._decoding += 1
            if self._decoding == 1:
                warnings.filterwarnings("ignore", module=r"PIL\.")
                self._filter = warnings.filters[0]
        try:
            yield
        finally:
            with self._lock:
                self._decoding -= 1
                if not self._decoding:
                    with contextlib.suppress(ValueError):  # the host program has replaced them
                        warnings.filters.remove(self._filter)  # type: ignore[attr-defined]


_pillow = _Pillow()


def damaged(error: Exception) -> str:
    """The message for an image that a decoder fails on."""
    reason = str(error) or type(error).__name__
    return f"the image is damaged ({reason[:200]}): copy it again, or take the photograph again"
