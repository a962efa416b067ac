"""Draws what a detector found: heat maps, overlays on the photograph, and contact sheets.

The colours are those of `colour_scale`. Verdicts differ in shape and word as well as in colour.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from flawspot.errors import ConfigurationError
from flawspot.runtime.colour_scale import COLOURS, OPACITY, TICKS, colours, place_on_scale
from flawspot.runtime.regions import Box, above

MAX_SIDE = 1024
"""Longest side of the photograph in an overlay, in pixels; larger ones are shrunk."""

MIN_SIDE = 320
"""Smaller photographs are enlarged to this longest side, so that lines and text do not hide the part."""

_BACKGROUND = (24, 27, 33)
_TEXT = (240, 242, 245)
_QUIET = (150, 156, 166)
_WARM = (255, 150, 40)
_COOL = (92, 172, 255)
_DARK = (0, 0, 0)
_LIGHT = (255, 255, 255)


def heat_map(anomaly_map: NDArray[np.float32], threshold: float, size: tuple[int, int]) -> Image.Image:
    """The anomaly map in colours, as an RGB image.

    Args:
        anomaly_map: (S, S) or any (H, W), values 0 and above. Negative values and NaN count as 0.
        threshold: the value at the middle of the scale. If it is not above 0, every value above 0 gets the top.
        size: (width, height) of the picture. The map is resized to it bilinearly.
    """
    return Image.fromarray(colours(place_on_scale(_resized(anomaly_map, size), threshold)))


def overlay(
    image: NDArray[np.uint8],
    anomaly_map: NDArray[np.float32],
    threshold: float,
    *,
    boxes: Sequence[Box] = (),
    caption: str | None = None,
    is_anomalous: bool | None = None,
    max_side: int = MAX_SIDE,
    hidden: NDArray[np.bool_] | None = None,
) -> Image.Image:
    """Draw the photograph, beside it the photograph with the heat map, and a strip below; an RGB image.

    Regions above the threshold are outlined. For photographs more than twice as wide as high, one is put above the
    other.

    Args:
        image: (H, W, 3) uint8 RGB.
        anomaly_map: (S, S) float32 over the whole photograph.
        threshold: see `heat_map`.
        boxes: (left, top, right, bottom) in pixels of `image`, right and bottom exclusive.
        caption: text of the strip on one line, such as score and verdict. It is made smaller or shortened to fit.
            Pillow's built-in font has ASCII and few other characters, "·" among them. None: no strip.
        is_anomalous: the verdict. The strip shows it by a mark (a triangle for anomalous, a disc for good) and by
            colour.
        max_side: longest side of each of the two photographs in pixels.
        hidden: (H, W) over the whole photograph: places that were not inspected, which are hatched.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    scale = min(max(longest, MIN_SIDE), max_side) / longest
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    photograph = Image.fromarray(image)
    if size != photograph.size:
        photograph = photograph.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    line = max(round(max(size) / 200), 1)

    values = _resized(anomaly_map, size)
    heated = _heated(photograph, place_on_scale(values, threshold), _inside(anomaly_map, values, threshold), line)
    scaled = [(left * scale, top * scale, right * scale, bottom * scale) for left, top, right, bottom in boxes]
    marked = photograph.copy()
    for picture in (marked, heated):
        if hidden is not None:
            _hatch(picture, hidden, line)
        _draw_boxes(picture, scaled, line)

    gap = 2 * line
    beneath = size[0] > 2 * size[1]
    offset = (0, size[1] + gap) if beneath else (size[0] + gap, 0)
    pair = Image.new("RGB", (size[0] + offset[0], size[1] + offset[1]), _BACKGROUND)
    pair.paste(marked, (0, 0))
    pair.paste(heated, offset)
    if caption is None:
        return pair
    strip = _strip(pair.width, caption, is_anomalous, max(size))
    whole = Image.new("RGB", (pair.width, pair.height + strip.height), _BACKGROUND)
    whole.paste(pair, (0, 0))
    whole.paste(strip, (0, pair.height))
    return whole


def contact_sheet(
    images: Sequence[Image.Image], columns: int, *, cell: tuple[int, int] = (480, 320), gap: int = 12
) -> Image.Image:
    """Put many pictures on one, row by row. Each is shrunk to fit into `cell` (never enlarged) and centred in it.

    Args:
        images: at least one picture.
        columns: pictures in a row; fewer if there are fewer images.
        cell: (width, height) in pixels that a picture may take. Rows and columns are no larger than needed.
        gap: pixels between pictures and around them.

    Raises:
        ConfigurationError: no images, or fewer than one column.
    """
    if not images or columns < 1:
        raise ConfigurationError(f"a contact sheet of {len(images)} pictures in {columns} columns: needs 1 of each")
    columns = min(columns, len(images))
    fitted = [_fitted(image, cell) for image in images]
    rows = [fitted[start : start + columns] for start in range(0, len(fitted), columns)]
    width = max(picture.width for picture in fitted)
    heights = [max(picture.height for picture in row) for row in rows]
    sheet = Image.new(
        "RGB", (gap + columns * (width + gap), gap + sum(height + gap for height in heights)), _BACKGROUND
    )
    top = gap
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            left = gap + column * (width + gap) + (width - picture.width) // 2
            sheet.paste(picture, (left, top + (height - picture.height) // 2))
        top += height + gap
    return sheet


def _resized(anomaly_map: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    values = np.nan_to_num(np.asarray(anomaly_map, np.float32), nan=0.0, neginf=0.0)
    resized = Image.fromarray(np.clip(values, 0, 1e30)).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32)


def _inside(anomaly_map: NDArray[np.float32], resized: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """The pixels of the picture that are outlined. They form a smooth shape that contains the centre of each cell above
    the threshold, however small the cell is. None are outlined if no cell is above.
    """
    cells = above(anomaly_map, threshold)
    if not cells.any():
        return np.zeros(resized.shape, np.bool_)
    inside = above(resized, max(threshold, 0.0))
    rows, columns = np.nonzero(cells)
    height, width = resized.shape
    inside[(2 * rows + 1) * height // (2 * len(cells)), (2 * columns + 1) * width // (2 * cells.shape[1])] = True
    return inside


def _heated(photograph: Image.Image, place: NDArray[np.float32], inside: NDArray[np.bool_], line: int) -> Image.Image:
    # Normal places are greyed and dimmed, so that warm colours mean anomalies even on a warm photograph.
    grey = np.asarray(photograph.convert("L").convert("RGB"), np.float32)
    base = 0.8 * (0.7 * grey + 0.3 * np.asarray(photograph, np.float32))
    level = np.rint(place * 255).astype(np.intp)
    opacity = OPACITY[level][:, :, None]
    picture = Image.fromarray(np.rint(base + opacity * (COLOURS[level] - base)).astype(np.uint8))
    picture.paste(_DARK, mask=_outline(inside, 2 * line))
    picture.paste(_LIGHT, mask=_outline(inside, line))
    return picture


def _hatch(picture: Image.Image, hidden: NDArray[np.bool_], line: int) -> None:
    """Darken places that were not inspected, and hatch them."""
    mask = Image.fromarray(hidden * np.uint8(255)).resize(picture.size, Image.Resampling.NEAREST)
    picture.paste(Image.eval(picture, lambda value: value * 2 // 5), mask=mask)
    rows, columns = np.indices((picture.height, picture.width))
    slanting = ((rows + columns) % (10 * line) < line) & (np.asarray(mask) > 0)
    picture.paste(_QUIET, mask=Image.fromarray(slanting * np.uint8(255)))


def _outline(inside: NDArray[np.bool_], width: int) -> Image.Image:
    """A line of `width` pixels around the True regions, outside of them, as a mask for pasting."""
    grown = inside.copy()
    for axis in (0, 1):
        along = np.moveaxis(grown, axis, 0)  # a view: written in place
        source = along.copy()
        for shift in range(1, width + 1):
            along[shift:] |= source[:-shift]
            along[:-shift] |= source[shift:]
    return Image.fromarray((grown & ~inside) * np.uint8(255)).filter(ImageFilter.GaussianBlur(0.6))


def _draw_boxes(picture: Image.Image, boxes: Sequence[tuple[float, float, float, float]], line: int) -> None:
    draw = ImageDraw.Draw(picture)
    for left, top, right, bottom in boxes:
        # Outside the region and its outline, and never outside the picture.
        margin = 6 * line
        outer = (
            max(round(left) - margin, 0),
            max(round(top) - margin, 0),
            min(round(right) - 1 + margin, picture.width - 1),
            min(round(bottom) - 1 + margin, picture.height - 1),
        )
        inner = (outer[0] + line, outer[1] + line, outer[2] - line, outer[3] - line)
        for (x0, y0, x1, y1), colour, width in ((outer, _DARK, 3 * line), (inner, _WARM, line)):
            if x0 <= x1 and y0 <= y1:  # false outside the picture, or in one as thin as the line
                draw.rectangle((x0, y0, x1, y1), outline=colour, width=width)


def _strip(width: int, caption: str, is_anomalous: bool | None, side: int) -> Image.Image:
    """Draw the strip below: the mark of the verdict, the caption, and the colour scale with the threshold at its
    middle."""
    text_size = min(max(side / 24, 13), 30)
    height = round(2.2 * text_size)
    strip = Image.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(strip)
    margin = round(0.6 * text_size)
    middle = height / 2
    left, right = margin, width - margin

    colour = _TEXT
    if is_anomalous is not None:
        radius = 0.42 * text_size
        colour = _WARM if is_anomalous else _COOL
        box = (left, middle - radius, left + 2 * radius, middle + radius)
        if is_anomalous:
            draw.polygon([(left, box[3]), (box[2], box[3]), (left + radius, box[1])], fill=colour)
        else:
            draw.ellipse(box, fill=colour)
        left += round(2 * radius + 0.5 * text_size)

    scale_width = round(min(7 * text_size, 0.3 * width))
    if scale_width >= 60:
        right -= scale_width
        _draw_scale(strip, (right, round(middle - 0.45 * text_size), scale_width, round(0.5 * text_size)), text_size)
        right -= margin
    _draw_text(draw, " ".join(caption.split()), (left, middle), right - left, text_size, colour)
    return strip


def _draw_scale(strip: Image.Image, place: tuple[int, int, int, int], text_size: float) -> None:
    """Draw the colours, and below them their severities. The threshold, severity 1, is marked."""
    left, top, width, height = place
    ramp = np.linspace(0, 1, width, dtype=np.float32)[None, :].repeat(height, axis=0)
    strip.paste(Image.fromarray(colours(ramp)), (left, top))
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(round(max(0.6 * text_size, 9)))
    line = max(round(text_size / 12), 1)
    below = top + height
    for at, severity in TICKS:
        x = left + round(at * width)
        limit = severity == "1"
        colour = _TEXT if limit else _QUIET
        draw.line([(x, top - 2 if limit else below), (x, below + line)], colour, line)
        draw.text((x, below + 3 * line), severity, font=font, fill=colour, anchor="mt")


def _draw_text(
    draw: ImageDraw.ImageDraw,
    text: str,
    at: tuple[float, float],
    room: float,
    text_size: float,
    colour: tuple[int, int, int],
) -> None:
    """Write `text` on one line in at most `room` pixels. It is made smaller, and finally cut, to fit."""
    size = text_size
    while size > 10 and draw.textlength(text, ImageFont.load_default(round(size))) > room:
        size -= 1
    font = ImageFont.load_default(round(size))
    shown = text
    while shown and draw.textlength(shown, font) > room:
        shown = shown.rstrip("…")[:-1] + "…" if len(shown) > 2 else ""
    draw.text(at, shown, font=font, fill=colour, anchor="lm")


def _fitted(image: Image.Image, cell: tuple[int, int]) -> Image.Image:
    scale = min(cell[0] / image.width, cell[1] / image.height)
    if scale >= 1:
        return image.convert("RGB")
    size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
