"""Measures the time for one photograph, from decoded pixels to the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from flawspot.runtime.detector import Detector

WARM_UP = 3
LEAST = 20
MOST = 50
SECONDS = 5.0

Run = Callable[[NDArray[np.uint8]], object]
"""Runs on a batch of one photograph, (1, H, W, 3)."""


def latency(detector: Detector, photographs: Sequence[NDArray[np.uint8]]) -> dict[str, float]:
    """Milliseconds for one decoded photograph: ``latency_ms``, the median, and ``latency_ms_p95``.

    Args:
        detector: a detector loaded with the number of threads to measure.
        photographs: (H, W, 3) each; used in turn, repeatedly if there are few.
    """
    warm_up(detector.run, photographs, WARM_UP)
    seconds = timed(detector.run, photographs, least=LEAST, most=MOST, seconds=SECONDS)
    median, slow = milliseconds(seconds)
    return {"latency_ms": median, "latency_ms_p95": slow}


def warm_up(run: Run, photographs: Sequence[NDArray[np.uint8]], calls: int) -> None:
    """Make the first calls, which take longer and are not counted."""
    for index in range(calls):
        run(photographs[index % len(photographs)][None])


def timed(run: Run, photographs: Sequence[NDArray[np.uint8]], *, least: int, most: int, seconds: float) -> list[float]:
    """Seconds of each call of `run`.

    Args:
        run: the function to time.
        photographs: (H, W, 3) each; used in turn.
        least, most: number of calls. After `least` calls none starts once `seconds` have passed.
    """
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < most and (len(found) < least or time.perf_counter() < end):
        batch = photographs[len(found) % len(photographs)][None]
        start = time.perf_counter()
        run(batch)
        found.append(time.perf_counter() - start)
    return found


def milliseconds(seconds: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile of times in seconds, in milliseconds."""
    return 1000 * float(np.percentile(seconds, 50)), 1000 * float(np.percentile(seconds, 95))
