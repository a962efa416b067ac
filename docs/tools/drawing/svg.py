"""An SVG file, element by element: text, shapes and small pictures, all inside of it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray
from PIL import Image

INK, GREY, PALE, BAD, GOOD = "#1b1f24", "#6a737d", "#d0d7de", "#c62828", "#1565c0"
TEXT = 19
"""Units of a caption, of the 760 that every drawing is wide."""
WIDTH = 760
_HEAT = np.array([[255, 255, 255], [255, 236, 170], [253, 174, 97], [215, 48, 39], [90, 0, 30]], np.float64)


class Drawing:
    """One SVG of `WIDTH` by `height`.

    Args:
        title: what it shows, for those who do not see it.
        height: in the same units.
    """

    def __init__(self, title: str, height: int) -> None:
        self.title, self.height = title, height
        self._elements: list[str] = []

    def text(
        self, x: float, y: float, told: str, *, size: float = TEXT, anchor: str = "start", colour: str = INK
    ) -> None:
        """A line of text that begins, ends or has its middle at (x, y)."""
        self._add(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" fill="{colour}">'
            f"{escape(told)}</text>"
        )

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = "none",
        stroke: str = INK,
        thick: float = 1.5,
    ) -> None:
        """A rectangle by its upper left corner."""
        self._add(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3" fill="{fill}" '
            f'stroke="{stroke}" stroke-width="{thick:g}"/>'
        )

    def circle(
        self, x: float, y: float, radius: float, *, fill: str = "none", stroke: str = "none", thick: float = 1.5
    ) -> None:
        """A circle by its middle."""
        self._add(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}" stroke="{stroke}" '
            f'stroke-width="{thick:g}"/>'
        )

    def dots(self, points: NDArray[np.floating], radius: float, *, fill: str) -> None:
        """Many circles of one size; (n, 2) middles."""
        path = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in points)
        self._add(
            f'<path d="{path}" stroke="{fill}" stroke-width="{2 * radius:g}" stroke-linecap="round" fill="none"/>'
        )

    def line(
        self, points: Sequence[tuple[float, float]], *, stroke: str = INK, thick: float = 1.5, dashes: str = ""
    ) -> None:
        """A line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._add(f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{thick:g}"{dashed}/>')

    def arrow(self, start: tuple[float, float], end: tuple[float, float], *, stroke: str = INK) -> None:
        """A line with a head at its end."""
        self.line([start, end], stroke=stroke)
        along = np.subtract(end, start) / np.hypot(*np.subtract(end, start))
        across = np.array([-along[1], along[0]])
        for side in (1, -1):
            back = np.array(end) - 9 * along + side * 5 * across
            self.line([(float(back[0]), float(back[1])), end], stroke=stroke)

    def picture(self, x: float, y: float, side: float, pixels: NDArray[np.uint8], *, told: str) -> None:
        """A map, a mask or the like as a square of `side`; (H, W, 3) uint8."""
        image = Image.fromarray(pixels).resize((200, 200), Image.Resampling.BILINEAR)
        flat = image.quantize(96, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        self._picture(x, y, side, flat, "png", told)

    def photograph(self, x: float, y: float, side: float, pixels: NDArray[np.uint8], *, told: str) -> None:
        """A photograph as a square of `side`; (H, W, 3) uint8."""
        self._picture(x, y, side, Image.fromarray(pixels), "jpeg", told)

    def _picture(self, x: float, y: float, side: float, image: Image.Image, kind: str, told: str) -> None:
        file = io.BytesIO()
        image.save(file, kind, optimize=True, quality=85)
        data = base64.b64encode(file.getvalue()).decode("ascii")
        self._add(
            f'<image x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" aria-label={quoteattr(told)} '
            f'href="data:image/{kind};base64,{data}"/>'
        )
        self.rect(x, y, side, side, stroke=GREY, thick=1)

    def svg(self) -> str:
        """The file's text."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" font-family="sans-serif" '
            f'role="img"><title>{escape(self.title)}</title>\n' + "\n".join(self._elements) + "\n</svg>\n"
        )

    def save(self, path: Path) -> None:
        """Write it."""
        path.write_text(self.svg(), encoding="utf-8", newline="\n")

    def _add(self, element: str) -> None:
        self._elements.append(element)


def heat(values: NDArray[np.floating], top: float, low: float = 0.0) -> NDArray[np.uint8]:
    """(H, W) -> (H, W, 3): from white at `low` over yellow and red to dark at `top` and above."""
    place = np.clip((values - low) / (top - low), 0, 1) * (len(_HEAT) - 1)
    below = np.minimum(place.astype(np.int64), len(_HEAT) - 2)
    share = (place - below)[..., None]
    mixed: NDArray[np.uint8] = np.rint(_HEAT[below] * (1 - share) + _HEAT[below + 1] * share).astype(np.uint8)
    return mixed
