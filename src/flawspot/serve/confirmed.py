"""Results that people have confirmed: the true class of the parts, the effect of other thresholds, a folder to train
on."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
from PIL import Image

from flawspot.errors import DataError
from flawspot.serve.chain import Row
from flawspot.serve.keeping import Pictures
from flawspot.serve.parts import ANOMALOUS, GOOD
from flawspot.serve.record import Record, Wanted

POINTS = 200
"""Most thresholds in a trade-off."""


@dataclass(frozen=True)
class Confirmed:
    """A result on which a person has said what the part was.

    Attributes:
        row: of the result.
        defective: whether the part was defective.
        boxes: boxes around its defects, as people drew them, in pixels of the picture.
    """

    row: Row
    defective: bool
    boxes: list[list[int]]


def confirmed(record: Record, wanted: Wanted) -> Iterator[Confirmed]:
    """The results of a filter that people have confirmed or contradicted, newest first."""
    for row in record.each_result(wanted):
        truth = truth_of(row, record.words_on(row.number))
        if truth is not None:
            yield truth


def truth_of(row: Row, words: list[Row]) -> Confirmed | None:
    """The true class by the last word that says it. *hold* and *release* do not."""
    verdict = row.content["verdict"]
    for word in reversed(words):
        said = word.content
        if said["word"] == "false alarm":
            return Confirmed(row, False, [])
        if said["word"] == "missed defect":
            return Confirmed(row, True, said["boxes"])
        if said["word"] == "confirmed" and verdict in (GOOD, ANOMALOUS):
            boxes = said["boxes"] or [region["box"] for region in row.content["regions"]]
            return Confirmed(row, verdict == ANOMALOUS, boxes if verdict == ANOMALOUS else [])
    return None


def trade_off(record: Record, wanted: Wanted, artifact: str) -> dict[str, Any]:
    """Compute the effect of each threshold on the confirmed results of an artifact.

    Returns:
        ``good`` and ``defective``: how many were confirmed as which. ``points``: for each threshold, how many of the
        good parts would be called anomalous and how many of the defective ones good.
    """
    scores: dict[bool, list[float]] = {False: [], True: []}
    for each in confirmed(record, wanted):
        content = each.row.content
        if content["artifact"] == artifact and content["score"] is not None:
            scores[each.defective].append(float(content["score"]))
    good, defective = (np.sort(np.array(scores[which])) for which in (False, True))
    thresholds = np.unique(np.concatenate([good, defective]))
    if len(thresholds) > POINTS:
        thresholds = thresholds[np.linspace(0, len(thresholds) - 1, POINTS).round().astype(int)]
    points = [
        {
            "threshold": float(threshold),
            "false_alarms": int(len(good) - np.searchsorted(good, threshold, "right")),
            "missed": int(np.searchsorted(defective, threshold, "right")),
        }
        for threshold in thresholds
    ]
    return {"artifact": artifact, "good": len(good), "defective": len(defective), "points": points}


def write_folder(file: IO[bytes], record: Record, pictures: Pictures, wanted: Wanted, *, unconfirmed: bool) -> int:
    """Write the pictures that have words as a ZIP in the MVTec layout, and return their number.

    Args:
        file: the file to write to.
        record: record of the station.
        pictures: the kept pictures.
        wanted: the filter of results.
        unconfirmed: add good pictures that nobody has contradicted, as ``train/good``.

    Raises:
        DataError: there is no such picture.
    """
    count, done = 0, set[str]()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for each in confirmed(record, wanted):
            name = _add(archive, pictures, each.row, "test/defect" if each.defective else "test/good", done)
            if name is not None:
                count += 1
                size = each.row.content.get("image_size")  # unknown for a picture that could not be inspected
                if each.defective and each.boxes and size is not None:
                    archive.writestr(f"ground_truth/defect/{name}_mask.png", _mask(each.boxes, size))
        if unconfirmed:
            for row in record.each_result(replace(wanted, verdict=GOOD)):
                if not record.words_on(row.number):
                    count += _add(archive, pictures, row, "train/good", done) is not None
    if not count:
        raise DataError("no kept picture has a word on it: say what parts were, then export")
    return count


def _add(archive: zipfile.ZipFile, pictures: Pictures, row: Row, folder: str, done: set[str]) -> str | None:
    """Add a picture to the archive under its row's number, once. None if it is not kept."""
    picture = str(row.content["picture"])
    path = pictures.find(picture)
    if path is None or picture in done:
        return None
    done.add(picture)
    name = f"{row.number:08}"
    try:
        archive.write(path, f"{folder}/{name}{path.suffix}")
    except FileNotFoundError:  # old pictures may be removed meanwhile
        return None
    return name


def _mask(boxes: list[list[int]], size: list[int]) -> bytes:
    """A PNG of the picture's size, white in the boxes."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue()
