"""Draws a photograph with heat map, severity and verdict, for `Prediction.plot`, `predict --out` and the demo."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.files import replacing
from flawspot.runtime.maps import is_map
from flawspot.runtime.marks import is_marked, save_marked
from flawspot.runtime.overlay import overlay
from flawspot.runtime.regions import Box

if TYPE_CHECKING:
    from flawspot.runtime.prediction import Prediction

_NAME_BYTES = 200


def picture(image: NDArray[np.uint8], prediction: Prediction) -> Image.Image:
    """Draw the photograph beside its heat map, with boxes, severity and verdict.

    Args:
        image: (H, W, 3), the photograph, or a smaller copy in the same proportions.
        prediction: the result for it.
    """
    caption = (
        f"severity {prediction.severity_text} (limit 1) · {prediction.verdict} · "
        f"score {prediction.score:.4g}, threshold {prediction.threshold:.4g}"
    )
    return overlay(
        image,
        prediction.map,
        prediction.calibration.region_threshold,
        boxes=[_scaled(box, prediction.image_size, (image.shape[1], image.shape[0])) for box in prediction.boxes],
        caption=caption,
        is_anomalous=prediction.is_anomalous,
        hidden=prediction.not_inspected,
    )


def _scaled(box: Box, size: tuple[int, int], shown: tuple[int, int]) -> Box:
    """Convert a box to a picture of another size, rounded outwards."""
    (left, top, right, bottom), (width, height), (new_width, new_height) = box, size, shown
    return (
        left * new_width // width,
        top * new_height // height,
        -(-right * new_width // width),
        -(-bottom * new_height // height),
    )


def html_figure(image: Image.Image, caption: str, *, side: int, quality: int) -> str:
    """A picture embedded in a page, as a JPEG of at most `side` pixels.

    Args:
        image: the picture, of any mode. It is shrunk in place.
        caption: any text. It is escaped.
        side: the longer side in pixels.
        quality: quality of the JPEG on Pillow's scale.
    """
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    caption = html.escape(caption)
    return f'<figure><img alt="" src="data:image/jpeg;base64,{data}"><figcaption>{caption}</figcaption></figure>'


def write_picture(path: Path, image: Image.Image) -> None:
    """Write a PNG or JPEG, according to the suffix, completely or not at all. It is marked as drawn; see `marks`.

    Raises:
        ConfigurationError: another suffix.
        FlawspotError: the file cannot be written.
    """
    with replacing(path) as temporary:
        save_marked(image, temporary)


class PictureNames:
    """Chooses the file for each drawn picture. It never overwrites a photograph or another picture.

    A picture drawn by an earlier run is replaced.

    Args:
        folder: folder of the pictures.
        suffix: suffix of the pictures.
        photographs: the photographs that are known beforehand.
    """

    def __init__(self, folder: Path, suffix: str = ".png", photographs: Iterable[Path] = ()) -> None:
        self.folder = folder
        self._suffix = suffix
        self._taken = {path.resolve() for path in photographs}

    def of(self, relative: Path) -> Path:
        """The path for a photograph with the path `relative` below its folder. A number is added if the path is
        taken."""
        stem = _shortened(relative.stem)
        target = self.folder / relative.with_name(f"{stem}{self._suffix}")
        number = 2
        while target.resolve() in self._taken or (target.exists() and not self._may_be_replaced(target)):
            target = self.folder / relative.with_name(f"{stem}_{number}{self._suffix}")
            number += 1
        self._taken.add(target.resolve())
        return target

    def _may_be_replaced(self, target: Path) -> bool:
        return is_map(target) if self._suffix == ".npy" else is_marked(target)


def _shortened(stem: str) -> str:
    """Shorten a name. Names have at most 255 bytes, and a number, a suffix and the name of an unfinished file must fit
    too."""
    encoded = os.fsencode(stem)
    if len(encoded) <= _NAME_BYTES:
        return stem
    return encoded[:_NAME_BYTES].decode(errors="ignore")


def picture_paths(photographs: Iterable[tuple[Path, Path]], folder: Path, suffix: str = ".png") -> dict[Path, Path]:
    """The file for the picture of each photograph; see `PictureNames`.

    Args:
        photographs: each path, and the name of its picture below `folder`.
        folder: for the pictures.
        suffix: of the pictures.

    Returns:
        The picture's path for each photograph's.
    """
    photographs = list(photographs)
    names = PictureNames(folder, suffix, (path for path, _ in photographs))
    return {path: names.of(relative) for path, relative in photographs}
