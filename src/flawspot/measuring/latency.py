"""Latency of one photograph and peak memory of the process."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from flawspot.runtime.detector import Detector

WARM_UP = 3
LEAST = 20
MOST = 50
SECONDS = 5.0
"""No more than `LEAST` photographs are measured once so much time has passed."""


def latency(detector: Detector, photographs: Sequence[NDArray[np.uint8]]) -> dict[str, float]:
    """Milliseconds for one decoded photograph: ``latency_ms``, the median, and ``latency_ms_p95``.

    Args:
        detector: loaded with as many threads as are to be measured.
        photographs: (H, W, 3) each; taken in turn, several times if they are few.
    """
    for index in range(WARM_UP):
        detector.run(photographs[index % len(photographs)][None])
    seconds: list[float] = []
    begin = time.perf_counter()
    while len(seconds) < MOST and (len(seconds) < LEAST or time.perf_counter() - begin < SECONDS):
        batch = photographs[len(seconds) % len(photographs)][None]
        start = time.perf_counter()
        detector.run(batch)
        seconds.append(time.perf_counter() - start)
    return {
        "latency_ms": 1000 * float(np.median(seconds)),
        "latency_ms_p95": 1000 * float(np.percentile(seconds, 95)),
    }


class PeakMemory:
    """The most that this process has held in memory since `restart`, in `bytes`.

    Linux can start counting anew; elsewhere it is counted from the start of the process, which is the same for its
    first run.
    """

    def __init__(self) -> None:
        self._status, self._reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    @contextlib.contextmanager
    def watch(self) -> Iterator[PeakMemory]:
        """Count from here on."""
        with contextlib.suppress(OSError):
            self._reset.write_text("5")
        yield self

    @property
    def bytes(self) -> int:
        """Resident set size at its largest."""
        with contextlib.suppress(OSError, ValueError):
            for line in self._status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return 1024 * int(line.split()[1])
        if sys.platform == "win32":
            return int(psutil.Process().memory_info().peak_wset)
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(peak) if sys.platform == "darwin" else 1024 * int(peak)
