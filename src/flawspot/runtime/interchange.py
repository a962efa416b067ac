"""A prediction in the formats of other tools: COCO and supervision.

A COCO annotation gives its pixels as a run-length code (Lin et al., Microsoft COCO, ECCV 2014; the data format on its
web page). The mask is read column by column, and the code is the lengths of alternating runs of 0 and 1, beginning with
0. The lengths are an uncompressed list, which pycocotools, FiftyOne, CVAT and others read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ConfigurationError, MissingPackageError
from flawspot.runtime.regions import Box, Region, region_masks

if TYPE_CHECKING:
    from flawspot.runtime.prediction import Prediction

CATEGORY = "anomaly"
CATEGORY_ID = 1


def coco_of(
    prediction: Prediction, *, image_id: int = 1, first_id: int = 1, file_name: str | None = None
) -> dict[str, Any]:
    """See `Prediction.to_coco`."""
    if min(image_id, first_id) < 1:
        raise ConfigurationError(f"numbers of a COCO data set begin at 1: {min(image_id, first_id)} was given")
    name = file_name if file_name is not None else prediction.path.name if prediction.path else ""
    width, height = prediction.image_size
    annotations = []
    for number, (region, mask) in enumerate(_masks(prediction), first_id):
        left, top, right, bottom = region.box
        annotations.append(
            {
                "id": number,
                "image_id": image_id,
                "category_id": CATEGORY_ID,
                "bbox": [left, top, right - left, bottom - top],
                "area": int(mask.sum()),
                "segmentation": {"size": [height, width], "counts": run_lengths(mask, region.box, (width, height))},
                "iscrowd": 0,
                "score": region.peak,
            }
        )
    return {
        "images": [{"id": image_id, "file_name": name, "width": width, "height": height}],
        "annotations": annotations,
        "categories": [{"id": CATEGORY_ID, "name": CATEGORY}],
    }


def run_lengths(mask: NDArray[np.bool_], box: Box, image_size: tuple[int, int]) -> list[int]:
    """COCO's run-length code for a mask of the whole photograph, of which only the part in `box` is given.

    Args:
        mask: (bottom - top, right - left) bool, the mask in the box. Outside of the box it is 0.
        box: (left, top, right, bottom) in pixels of the photograph, right and bottom exclusive.
        image_size: (width, height) of the photograph.

    Returns:
        Lengths whose sum is width x height. The first counts zeros and may be 0, the others are above 0.
    """
    left, top, _, _ = box
    width, height = image_size
    padded = np.zeros((mask.shape[1], mask.shape[0] + 2), np.int8)
    padded[:, 1:-1] = mask.T
    steps = np.diff(padded, axis=1)
    columns, rows = np.nonzero(steps == 1)
    begins = (columns + left) * height + rows + top
    columns, rows = np.nonzero(steps == -1)
    ends = (columns + left) * height + rows + top
    # A run that ends with a column's last pixel continues if the next column begins with a set pixel.
    apart = begins[1:] != ends[:-1]
    begins, ends = begins[np.append(True, apart)[: len(begins)]], ends[np.append(apart, True)[: len(ends)]]
    edges = np.stack([begins, ends], axis=1).ravel()
    counts: list[int] = np.diff(edges, prepend=0, append=width * height).tolist()
    return counts if counts[-1] else counts[:-1]


def detections_of(prediction: Prediction, *, masks: bool = True) -> Any:
    """See `Prediction.to_supervision`."""
    try:
        import supervision
    except ModuleNotFoundError as error:
        if error.name != "supervision":
            raise
        raise MissingPackageError(
            "to_supervision needs supervision, which is not installed: run `pip install supervision`",
            name="supervision",
        ) from None
    regions = prediction.regions
    width, height = prediction.image_size
    drawn = np.zeros((len(regions) if masks else 0, height, width), bool)
    if masks:
        for whole, (region, mask) in zip(drawn, _masks(prediction), strict=True):
            left, top, right, bottom = region.box
            whole[top:bottom, left:right] = mask
    return supervision.Detections(
        xyxy=np.array([region.box for region in regions], np.float32).reshape(-1, 4),
        mask=drawn if masks else None,
        confidence=np.array([region.peak for region in regions], np.float32),
        class_id=np.zeros(len(regions), int),
        data={
            "class_name": np.array([CATEGORY] * len(regions), dtype=f"<U{len(CATEGORY)}"),
            "area": np.array([region.area for region in regions], int),
            "mean": np.array([region.mean for region in regions], np.float32),
        },
    )


def _masks(prediction: Prediction) -> Iterator[tuple[Region, NDArray[np.bool_]]]:
    return region_masks(prediction.map, prediction.calibration.region_threshold, prediction.image_size)
