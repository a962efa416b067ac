"""A part on its way through the station, and its outcome."""

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
    """The outcome of a part.

    Attributes:
        content: the body of its row; see `flawspot.serve.inspection`.
        row: its row; None if the record could not be written. The verdict is then ``not inspected``.
        map: the anomaly map, if the part asked for it; see `flawspot.runtime.prediction.Prediction`.
        photograph: the pixels that were judged; None where there is no verdict.
    """

    content: dict[str, Any]
    row: Row | None
    map: NDArray[np.float32] | None = None
    photograph: Decoded | None = None

    def as_dict(self) -> dict[str, Any]:
        """The outcome in the form of the API."""
        return {"number": None, "time": None, **self.content} if self.row is None else self.row.as_dict()


@dataclass(frozen=True, eq=False)
class Part:
    """One picture to be inspected.

    Attributes:
        source: the bytes of a file, its path, or pixels (H, W, 3) uint8; or the reason why there is no picture.
        name: a name for people: that of a file or a camera.
        origin: ``http``, ``v2``, ``watch`` or ``camera``.
        item: a key that identifies the picture, so that it is never judged twice; None if it cannot come again.
        part: the number of the part, as given by the sender.
        station: the place on the line, as given by the sender.
        wants_map: whether the outcome should hold the anomaly map.
        arrived: time of arrival on the clock of `time.monotonic`.
        outcome: set when the part was inspected.
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
