"""A part on its way through the station, and what became of it."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ImageError
from flawspot.runtime.reduced import Decoded
from flawspot.serve.chain import Row

GOOD, ANOMALOUS, NOT_INSPECTED = "good", "anomalous", "not inspected"
VERDICTS = (GOOD, ANOMALOUS, NOT_INSPECTED)


@dataclass(frozen=True)
class Outcome:
    """What became of a part.

    Attributes:
        content: the body of the row that tells of it; see `flawspot.serve.inspection`.
        row: that row; None where the record could not be written. Then the verdict is ``not inspected``.
        map: the anomaly map, where the part asked for it; see `flawspot.runtime.prediction.Prediction`.
        photograph: the pixels that were judged; None where there is no verdict.
    """

    content: dict[str, Any]
    row: Row | None
    map: NDArray[np.float32] | None = None
    photograph: Decoded | None = None

    def as_dict(self) -> dict[str, Any]:
        """As the API gives it."""
        return {"number": None, "time": None, **self.content} if self.row is None else self.row.as_dict()


@dataclass(frozen=True, eq=False)
class Part:
    """One picture that is to be inspected.

    Attributes:
        source: the bytes of a file, its path, or pixels (H, W, 3) uint8; or why there is no picture.
        name: what people know it by: a file's name, a camera's.
        origin: ``http``, ``v2``, ``watch`` or ``camera``.
        item: by which it is known again, so that it is never judged twice; None where it cannot come again.
        part: the number of the part, as whoever sent it says.
        station: the place on the line, likewise.
        wants_map: whether the outcome holds the anomaly map.
        arrived: when, on the clock of `time.monotonic`.
        outcome: is set when it was inspected.
    """

    source: bytes | Path | NDArray[np.uint8] | ImageError
    name: str
    origin: str
    item: str | None = None
    part: str | None = None
    station: str | None = None
    wants_map: bool = False
    arrived: float = field(default_factory=time.monotonic)
    outcome: Future[Outcome] = field(default_factory=Future)
