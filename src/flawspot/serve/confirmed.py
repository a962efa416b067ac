"""What people have confirmed: the truth of results, what another threshold would have done, a folder to learn from."""

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
"""Thresholds that a trade-off is told at, at most."""


@dataclass(frozen=True)
class Confirmed:
    """A result of which people have said what the part was.

    Attributes:
        row: of the result.
        defective: what the part was.
        boxes: around its defects, as people drew them, in pixels of the picture.
    """

    row: Row
    defective: bool
    boxes: list[list[int]]


def confirmed(record: Record, wanted: Wanted) -> Iterator[Confirmed]:
    """The results of a filter that people have confirmed or contradicted, the newest first."""
    for row in record.each_result(wanted):
        truth = truth_of(row, record.words_on(row.number))
        if truth is not None:
            yield truth


def truth_of(row: Row, words: list[Row]) -> Confirmed | None:
    """By the last word that says what the part was; *hold* and *release* say nothing of it."""
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
    """What each threshold would have done to the confirmed results of an artifact.

    Returns:
        ``good`` and ``defective``, how many were confirmed as which, and ``points``: for each threshold how many of the
        good would be called anomalous and how many of the defective good.
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
    """Write the pictures that people have spoken of as a ZIP in the MVTec layout; returns how many there are.

    Args:
        file: to write to.
        record: of the station.
        pictures: that are kept.
        wanted: which results.
        unconfirmed: add good ones that nobody has contradicted, as ``train/good``.

    Raises:
        DataError: there is none.
    """
    count, done = 0, set[str]()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for each in confirmed(record, wanted):
            name = _add(archive, pictures, each.row, "test/defect" if each.defective else "test/good", done)
            if name is not None:
                count += 1
                size = each.row.content.get("image_size")  # of what could not be inspected nobody knows it
                if each.defective and each.boxes and size is not None:
                    archive.writestr(f"ground_truth/defect/{name}_mask.png", _mask(each.boxes, size))
        if unconfirmed:
            for row in record.each_result(replace(wanted, verdict=GOOD)):
                if not record.words_on(row.number):
                    count += _add(archive, pictures, row, "train/good", done) is not None
    if not count:
        raise DataError("no kept picture has a word of people on it: say what parts were, then export")
    return count


def _add(archive: zipfile.ZipFile, pictures: Pictures, row: Row, folder: str, done: set[str]) -> str | None:
    """Put a picture into the archive under its row's number, once; None where it is not kept."""
    picture = str(row.content["picture"])
    path = pictures.find(picture)
    if path is None or picture in done:
        return None
    done.add(picture)
    name = f"{row.number:08}"
    try:
        archive.write(path, f"{folder}/{name}{path.suffix}")
    except FileNotFoundError:  # old pictures go meanwhile
        return None
    return name


def _mask(boxes: list[list[int]], size: list[int]) -> bytes:
    """White in the boxes, as a PNG of the picture's size."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue()
