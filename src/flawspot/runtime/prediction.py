"""The result for one photograph."""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ImageError
from flawspot.runtime.calibration import p_value
from flawspot.runtime.images import WHITE
from flawspot.runtime.interchange import coco_of, detections_of
from flawspot.runtime.manifest import CalibrationInfo
from flawspot.runtime.pictures import picture, picture_paths, write_picture
from flawspot.runtime.reduced import Decoded, prepare, read_photograph
from flawspot.runtime.regions import Box, Region, above, find_regions, photograph_mask
from flawspot.runtime.view import View
from flawspot.texts import visible

if TYPE_CHECKING:
    from PIL import Image
    from supervision import Detections


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The result for one photograph: score, map, regions and verdict. Made by `Detector.predict`.

        >>> prediction
        Prediction(anomalous, severity 2.3, score 230, 1 region, new.png)
        >>> prediction.is_anomalous, prediction.severity
        (True, 2.3)
        >>> prediction.regions
        [Region(box=(10, 20, 25, 30), area=150, peak=230.0, mean=230.0)]
        >>> prediction.mask.shape
        (64, 64)
        >>> written = prediction.save("found.png")

    A notebook shows it as the picture of `plot`.

    Attributes:
        score: the maximum of the map; larger is more anomalous. Its scale is the method's own.
        map: (S, S) float32, the anomaly of each pixel of the photograph resized to S x S. For a detector with another
            geometry (H, W), over exactly the whole photograph.
        image_size: (width, height) of the photograph in pixels.
        calibration: the threshold, and the scores of good images that set it and that `p_value` is computed from.
        seconds: the time that the detector took, without decoding.
        path: the file of the photograph; None if it came from memory.
        photograph: its pixels, if they are kept; see `Detector.predict`.
        white: the white value of 16-bit photographs, for drawing them.
        view: how the detector sees a photograph, unless it is squashed into a square; see `not_inspected`.
    """

    score: float
    map: NDArray[np.float32]
    image_size: tuple[int, int]
    calibration: CalibrationInfo
    seconds: float = 0.0
    path: Path | None = None
    photograph: Decoded | None = field(default=None)
    white: int = WHITE
    view: View | None = None

    def __repr__(self) -> str:
        count = len(self._regions)
        parts = [
            self.verdict,
            f"severity {self.severity_text}",
            f"score {self.score:.4g}",
            f"{count} region{'' if count == 1 else 's'}",
        ]
        return f"Prediction({', '.join(parts + ([visible(str(self.path))] if self.path else []))})"

    @property
    def threshold(self) -> float:
        """A score above it is anomalous."""
        return self.calibration.threshold

    @property
    def is_anomalous(self) -> bool:
        """The verdict at the threshold of the artifact."""
        # Written so that a NaN score, which no detector gives, is never good.
        return not self.score <= self.calibration.threshold

    @property
    def verdict(self) -> str:
        """``anomalous`` or ``good``."""
        return "anomalous" if self.is_anomalous else "good"

    @property
    def severity(self) -> float:
        """The score divided by the threshold. Values above 1 are anomalous. The scale is the same for every method.

        If the threshold is 0 (for example when all held-out photographs are copies of training ones), the severity is 0
        up to the threshold and infinite above it.
        """
        if self.threshold > 0:
            return self.score / self.threshold
        return math.inf if self.is_anomalous else 0.0

    @property
    def severity_text(self) -> str:
        """The severity in few digits, rounded so that it never crosses 1."""
        severity = self.severity
        texts = (f"{severity:.{digits}g}" for digits in (3, 5, 8, 12, 17))
        return next(text for text in texts if (float(text) > 1) == (severity > 1))

    @property
    def p_value(self) -> float:
        """The share of good parts with at least this score, in (0, 1]; see `flawspot.runtime.calibration`."""
        return p_value(self.score, self.calibration)

    @property
    def regions(self) -> list[Region]:
        """The connected regions where the map is above the threshold, most anomalous first.

        A good photograph has none, and an anomalous one at least one. (This does not hold for artifacts of schema 1,
        whose map has a separate threshold.)
        """
        return list(self._regions)

    @cached_property
    def _regions(self) -> tuple[Region, ...]:
        return find_regions(self.map, self.calibration.region_threshold, self.image_size)

    @property
    def boxes(self) -> list[Box]:
        """The boxes of the `regions`: (left, top, right, bottom) in pixels of the photograph, right and bottom
        exclusive.
        """
        return [region.box for region in self._regions]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool: the anomalous pixels of the photograph."""
        return photograph_mask(above(self.map, self.calibration.region_threshold), self.image_size)

    @cached_property
    def not_inspected(self) -> NDArray[np.bool_] | None:
        """In the shape of `map`: places that the detector does not look at, outside its region or cut off; None if
        there are none."""
        return None if self.view is None else self.view.not_inspected(self.image_size)

    def plot(self, image: str | os.PathLike[str] | NDArray[Any] | Image.Image | None = None) -> Image.Image:
        """Draw the photograph beside its heat map, with boxes, severity and verdict.

        Args:
            image: the photograph, if it was not kept. The default is the kept pixels, or the file, which is read again.

        Returns:
            A PIL image; its longest side has about 2000 pixels at most.

        Raises:
            ImageError: the photograph was not kept and came from no file, the file cannot be read any more, or its size
                has changed; or `image` is a path, which belongs to `save`.
        """
        return picture(self._pixels(image), self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture of `plot` as a PNG or JPEG, completely or not at all.

        Args:
            path: the picture's file; or a folder, in which it gets the photograph's name without overwriting the
                photograph.

        Returns:
            The file that was written.

        Raises:
            ConfigurationError: another suffix than .png or .jpg.
            ImageError: as for `plot`.
            FlawspotError: the file cannot be written.
        """
        target = Path(path)
        if target.is_dir():
            photograph = self.path or Path("photograph")
            target = picture_paths([(photograph, Path(photograph.name))], target)[photograph]
        write_picture(target, self.plot())
        return target

    def to_dict(self) -> dict[str, Any]:
        """Everything except map and pixels as plain values for JSON. An infinite severity becomes None."""
        hidden = self.not_inspected
        return {
            "path": None if self.path is None else str(self.path),
            "verdict": self.verdict,
            "severity": self.severity if math.isfinite(self.severity) else None,
            "is_anomalous": self.is_anomalous,
            "score": self.score,
            "threshold": self.threshold,
            "p_value": self.p_value,
            "seconds": self.seconds,
            "image_size": list(self.image_size),
            "inspected_share": 1.0 if hidden is None else float(1 - hidden.mean()),
            "boxes": [list(box) for box in self.boxes],
            "regions": [
                {"box": list(region.box), "area": region.area, "peak": region.peak, "mean": region.mean}
                for region in self._regions
            ],
        }

    def to_coco(self, *, image_id: int = 1, first_id: int = 1, file_name: str | None = None) -> dict[str, Any]:
        """The regions as a COCO data set of one photograph, in values for JSON.

        Its list ``annotations`` is also a COCO list of results: each has a ``score``, the peak of its region on the
        scale of `score`, which is not a probability. ``bbox`` is [left, top, width, height] of the region's box.
        ``segmentation`` is the run-length code of its pixels, and ``area`` their number, as COCO demands;
        `Region.area` is the region's share of the map and may differ a little. The only category is ``anomaly``. A good
        photograph has no annotations.

            >>> found = prediction.to_coco()
            >>> found["annotations"][0]["bbox"], found["annotations"][0]["area"]
            ([10, 20, 15, 10], 150)

        Args:
            image_id: of the photograph, and of the first annotation `first_id`, both at least 1: to join several into
                one data set, give each another one, and the number of annotations before it plus 1.
            file_name: name of the photograph's file; by default its name without the folder, empty if it came from
                memory.

        Raises:
            ConfigurationError: a number below 1.
        """
        return coco_of(self, image_id=image_id, first_id=first_id, file_name=file_name)

    def to_supervision(self, *, masks: bool = True) -> Detections:
        """The regions as ``supervision.Detections``, for its annotators, trackers and filters.

        ``confidence`` is the peak of each region on the scale of `score`, which is not a probability. ``class_id`` is
        0, and ``data`` has ``class_name``, ``area`` and ``mean``.

        Args:
            masks: include the pixels of each region. supervision keeps a byte for each pixel of the photograph and
                region.

        Raises:
            MissingPackageError: supervision is not installed. No extra of flawspot installs it.
        """
        return detections_of(self, masks=masks)

    def _repr_png_(self) -> bytes | None:
        """The picture for a notebook. None if the photograph is not available; the notebook then shows the `repr`."""
        try:
            drawn = self.plot()
        except ImageError:
            return None
        file = io.BytesIO()
        drawn.save(file, "PNG")
        return file.getvalue()

    def _pixels(self, image: str | os.PathLike[str] | NDArray[Any] | Image.Image | None) -> NDArray[np.uint8]:
        if isinstance(image, str | os.PathLike) and not Path(image).exists():
            raise ImageError(f"there is no photograph {image} to draw on; to write a picture call save({str(image)!r})")
        if image is None:
            image = self.path
            if self.photograph is not None:
                return self.photograph.drawable()
        if image is None:
            raise ImageError("the photograph was not kept: predict with keep_image=True, or give it to plot")
        seen = self.view or len(self.map)
        if isinstance(image, str | os.PathLike):
            found = read_photograph(Path(image), seen, white=self.white)
        else:
            found = prepare(image, seen, self.white)
        if found.size != self.image_size:
            sizes = [" x ".join(map(str, size)) for size in (found.size, self.image_size)]
            raise ImageError(f"this is another photograph: it has {sizes[0]} pixels, the one predicted had {sizes[1]}")
        return found.drawable()
