"""Pictures of defects that a run's detector found and missed, for the report."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from flawspot.benchmark.seen_photographs import SeenPhotographs
from flawspot.benchmark.task import Task
from flawspot.benchmark.variations import alteration
from flawspot.data.folders import ImageFolder
from flawspot.evaluation import Evaluation
from flawspot.files import write_bytes
from flawspot.runtime.manifest import CalibrationInfo
from flawspot.runtime.overlay import overlay

BEST, WORST = 2, 4
SIDE = 320
_QUALITY = 80


def write_examples(
    task: Task, folder: ImageFolder, evaluation: Evaluation, calibration: CalibrationInfo, seen: SeenPhotographs
) -> tuple[dict[str, Any], ...]:
    """Draw the defects that are judged best, and the photographs that are judged worst, good or defective.

    The measure is the distance of the score from the threshold, positive on the right side.

    Returns:
        The value of `Record.examples`. The pictures are in the store's folder under ``examples``.
    """
    scores = np.array(evaluation.scores)
    defective = np.array([sample.is_defective for sample in evaluation.samples])
    right = np.where(defective, scores - calibration.threshold, calibration.threshold - scores)
    order = [int(index) for index in np.argsort(right, kind="stable")]
    worst = order[:WORST]
    best = [index for index in reversed(order) if defective[index] and index not in worst][:BEST]
    alter = alteration(folder, task.cell)
    found: list[dict[str, Any]] = []
    assert evaluation.maps is not None  # asked for
    for kind, rows in (("best", best), ("worst", worst)):
        for row in rows:
            sample = evaluation.samples[row]
            image = seen.photograph(sample.path)
            if alter is not None:
                image, _ = alter(sample, image, np.zeros(image.shape[:2], np.bool_))
            drawn = overlay(image, evaluation.maps[row], calibration.region_threshold, max_side=SIDE)
            file = io.BytesIO()
            drawn.save(file, "JPEG", quality=_QUALITY)
            picture = f"examples/{task.key[:2]}/{task.key}-{kind}-{len(found)}.jpg"
            write_bytes(task.folder / picture, file.getvalue())
            found.append(
                {
                    "kind": kind,
                    "image": sample.path.relative_to(folder.root).as_posix(),
                    "defective": sample.is_defective,
                    "score": float(scores[row]),
                    "threshold": calibration.threshold,
                    "picture": picture,
                }
            )
    return tuple(found)
