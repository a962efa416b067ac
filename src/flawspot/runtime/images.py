"""Converts photographs of any origin to (H, W, 3) uint8 RGB, and masks to (H, W) bool."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.errors import ImageError
from flawspot.runtime.decoding import MAX_FILE_BYTES, MAX_PIXELS, WHITE_IS_ZERO, damaged, decode
from flawspot.runtime.file_checks import MAX_EXIF_BYTES

WHITE = 65535
"""The default white value of 16-bit photographs."""
_EXIF_ORIENTATION = 0x0112
_EXIF_AS_TEXT = "Raw profile type exif"
"""Key under which older programs put EXIF data into a PNG, in hexadecimal digits."""
_MASK_LEVEL_JPEG = 128


def read_image(
    path: Path, *, white: int = WHITE, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_FILE_BYTES
) -> NDArray[np.uint8]:
    """Read a photograph as (H, W, 3) uint8 RGB, upright.

    The EXIF orientation is applied. Grey becomes three equal channels; palettes and CMYK become their colours.
    Transparency is dropped, not composited: a pixel keeps its stored colour, as with Pillow's ``convert("RGB")``. For
    16 bits the range 0..`white` is scaled to 0..255. The default is the full range, so that nothing is clipped. If a
    file has several frames, the first is read. Colour profiles are not applied.

    Args:
        path: a PNG, JPEG, BMP, TIFF, WebP or PPM file; its suffix does not matter.
        white: the value in 16 bits that becomes white, 255..65535. Higher values become white too.
        max_pixels: largest width x height, checked before decoding.
        max_bytes: largest size of the file.

    Raises:
        ImageError: the file is missing, not a file, empty, too large, of another format, damaged or truncated, or holds
            floating-point values.
    """
    return decode(Path(path), functools.partial(to_rgb, white=white), max_pixels, max_bytes)


def read_mask(
    path: Path,
    *,
    background: tuple[int, int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_FILE_BYTES,
) -> NDArray[np.bool_]:
    """Read a mask as (H, W) bool, upright. True marks pixels with any channel above zero, so 0/255, 0/1, classes and
    colours all work.

    If all colours are the same and the transparency is not, the transparency is the mask. In a palette without black
    the first entry is the background. JPEG does not keep zeros exactly, so in a JPEG mask values from 128 on are True.

    Args:
        background: the colour (red, green, blue) of places without a defect; None for black.

    Raises:
        ImageError: as for `read_image`; or colours and transparency mark different places.
    """
    return decode(Path(path), functools.partial(_to_mask, background=background), max_pixels, max_bytes)


def to_rgb(image: NDArray[Any] | Image.Image, white: int = WHITE) -> NDArray[np.uint8]:
    """Convert an image in memory to (H, W, 3) uint8 RGB by the rules of `read_image`.

    Args:
        image: a Pillow image (its EXIF orientation, if it still has one, is applied), or an array of bool, uint8 or
            uint16 and shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), in the order R, G, B, A (OpenCV's is B, G, R).
            A contiguous uint8 array of shape (H, W, 3) is not copied.
        white: as for `read_image`.

    Raises:
        ImageError: another shape or type; a Pillow image that cannot be decoded.
    """
    if not isinstance(image, Image.Image):
        return _array_to_rgb(np.asarray(image), white)
    try:
        image.load()
        return upright(colours(image, white), image)
    except ImageError:
        raise
    except Exception as error:  # as in decode
        raise ImageError(damaged(error)) from error


def highest(image: NDArray[Any] | Image.Image) -> int | None:
    """The highest value of a 16-bit photograph, after turning an inverted one round; None for all others."""
    if isinstance(image, Image.Image):
        if not image.mode.startswith("I"):
            return None
        # Computed by strips, because a whole array would double the memory.
        rows = max((1 << 20) // image.width, 1)
        tops = range(0, image.height, rows)
        strips = (np.asarray(image.crop((0, top, image.width, min(top + rows, image.height)))) for top in tops)
        if image.info.get(WHITE_IS_ZERO):
            return WHITE - min(int(strip.min()) for strip in strips)
        return max(int(strip.max()) for strip in strips)
    return int(image.max()) if image.dtype == np.uint16 and image.size else None


def colours(image: Image.Image, white: int = WHITE) -> NDArray[np.uint8]:
    """The pixels of a decoded image as (H, W, 3) uint8 RGB, in the file's orientation, not turned upright.

    Raises:
        ImageError: it holds floating-point values, or integers of more than 16 bits.
    """
    if image.mode == "F":
        raise ImageError(
            "the image holds floating-point values, whose range is unknown: save it with 8 or 16 bits per channel"
        )
    if not image.mode.startswith("I"):
        return np.array(_to_mode_rgb(image))  # a copy: Pillow's own buffer is not writeable
    pixels = np.asarray(image)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ImageError(
            f"the image holds values from {pixels.min()} to {pixels.max()}, outside 0 to 65535: "
            "save it with 8 or 16 bits per channel"
        )
    deep = pixels.astype(np.uint16)
    return _array_to_rgb(WHITE - deep if image.info.get(WHITE_IS_ZERO) else deep, white)


def _to_mode_rgb(image: Image.Image) -> Image.Image:
    if "transparency" in image.info:
        # Pillow would warn, and try to carry the transparent colour over; we drop it.
        image = image.copy()
        del image.info["transparency"]
    # Pillow cannot convert colours multiplied by their alpha directly to RGB.
    unmultiplied = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)
    if unmultiplied:
        image = image.convert(unmultiplied)
    return image.convert("RGB")


def _array_to_rgb(pixels: NDArray[Any], white: int = WHITE) -> NDArray[np.uint8]:
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
        # round(255 v / white) in integers; white is odd, 2^n - 1, so there are no halves.
        pixels = ((np.minimum(pixels, white).astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)
    elif dtype != np.uint8:
        raise ImageError(
            f"an image array must be of uint8, uint16 or bool, not {dtype} (shape {shape}): {_scaling(dtype)}"
        )
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels)


def _scaling(dtype: np.dtype[Any]) -> str:
    """How to scale another type to 8 bits. ``astype`` alone would wrap 12-bit values, and turn values in 0..1 black."""
    if dtype.kind == "f":
        return "scale it by its actual range, for 0 to 1 by (255 * x).round().astype(np.uint8)"
    return (
        "scale it by its actual range, for 12 bits by (x * (255 / 4095)).round().astype(np.uint8), "
        "as astype alone wraps values above 255"
    )


def _to_mask(image: Image.Image, background: tuple[int, int, int] | None) -> NDArray[np.bool_]:
    image.load()
    mask: NDArray[np.bool_]
    if image.mode == "F" or image.mode.startswith("I"):
        mask = np.asarray(image) > 0  # not scaled to 8 bits: 1 of 65535 is set too
    else:
        colour = np.asarray(_to_mode_rgb(image))
        if background is not None:
            mask = np.asarray((colour != np.array(background, np.uint8)).any(axis=2))
        elif image.format == "JPEG":
            mask = colour.max(axis=2) >= _MASK_LEVEL_JPEG
        else:
            mask = np.asarray(colour.any(axis=2))
            if image.mode == "P" and mask.all():
                mask = np.asarray(image) > 0
            mask = _with_transparency(mask, image)
    return upright(mask, image)


def _with_transparency(mask: NDArray[np.bool_], image: Image.Image) -> NDArray[np.bool_]:
    """The transparency of a mask, if the transparency marks the defect."""
    if not image.has_transparency_data:
        return mask
    opaque = np.asarray(image.convert("RGBA"))[:, :, 3] > 0
    if opaque.all() or not opaque.any() or (opaque == mask).all():
        return mask
    if mask.all() or not mask.any():
        return opaque
    raise ImageError("its colours and its transparency mark different things: save the mask without transparency")


def upright(pixels: NDArray[Any], image: Image.Image) -> NDArray[Any]:
    """`pixels` (H, W, ...) turned and mirrored as the EXIF orientation of `image` says (CIPA DC-008, tag 0x0112)."""
    if len(image.info.get(_EXIF_AS_TEXT, "")) > 2 * MAX_EXIF_BYTES:
        raise ImageError(f"the EXIF data of the PNG have more than {MAX_EXIF_BYTES:,} bytes: save it without them")
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
