"""A photograph with its heat map, severity and verdict, as `Prediction.plot`, `predict --out` and the demo draw it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.files import replacing
from flawspot.runtime.marks import is_marked, save_marked
from flawspot.runtime.overlay import overlay
from flawspot.runtime.regions import Box

if TYPE_CHECKING:
    from flawspot.runtime.prediction import Prediction


def picture(image: NDArray[np.uint8], prediction: Prediction) -> Image.Image:
    """The photograph beside its heat map, with boxes, severity and verdict.

    Args:
        image: (H, W, 3), the photograph, or a smaller copy in the same proportions.
        prediction: what was found in it.
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
    )


def _scaled(box: Box, size: tuple[int, int], shown: tuple[int, int]) -> Box:
    """A box in a picture of another size, rounded outwards."""
    (left, top, right, bottom), (width, height), (new_width, new_height) = box, size, shown
    return (
        left * new_width // width,
        top * new_height // height,
        -(-right * new_width // width),
        -(-bottom * new_height // height),
    )


def write_picture(path: Path, image: Image.Image) -> None:
    """Write a PNG or JPEG, as the suffix says, as a whole or not at all. It is marked as drawn; see `marks`.

    Raises:
        ConfigurationError: another suffix.
        FlawspotError: the file cannot be written.
    """
    with replacing(path) as temporary:
        save_marked(image, temporary)


def picture_paths(photographs: Iterable[tuple[Path, Path]], folder: Path) -> dict[Path, Path]:
    """Where the picture of each photograph goes: never in the place of a photograph or of another picture.

    Args:
        photographs: each path, and what it is called below `folder`.
        folder: for the pictures.

    Returns:
        The picture's path for each photograph's, with a number where the name is taken. A picture that an earlier run
        has drawn is replaced.
    """
    photographs = list(photographs)
    taken = {path.resolve() for path, _ in photographs}
    pictures = {}
    for path, relative in photographs:
        target = folder / relative.with_suffix(".png")
        number = 2
        while target.resolve() in taken or (target.exists() and not is_marked(target)):
            target = folder / relative.with_name(f"{relative.stem}_{number}.png")
            number += 1
        taken.add(target.resolve())
        pictures[path] = target
    return pictures
