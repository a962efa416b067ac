"""Timing one photograph at a time."""

import time

import numpy as np
import pytest

from flawspot.measuring.latency import LEAST, MOST, WARM_UP, latency, milliseconds, timed, warm_up


class Detector:
    """Notes what it is shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def run(self, batch: np.ndarray) -> None:
        self.seen.append((*batch.shape, int(batch[0, 0, 0, 0])))


PHOTOGRAPHS = [np.full((4, 5, 3), number, np.uint8) for number in range(3)]


def test_photographs_are_shown_in_turn_one_at_a_time() -> None:
    detector = Detector()
    assert len(timed(detector.run, PHOTOGRAPHS, least=2, most=7, seconds=60)) == 7
    assert [shape[-1] for shape in detector.seen] == [0, 1, 2, 0, 1, 2, 0]
    assert {shape[:-1] for shape in detector.seen} == {(1, 4, 5, 3)}
    warm_up(detector.run, PHOTOGRAPHS, 4)
    assert len(detector.seen) == 11


def test_a_slow_detector_is_timed_the_least_times() -> None:
    seconds = timed(lambda batch: time.sleep(0.02), PHOTOGRAPHS, least=3, most=50, seconds=0.01)
    assert len(seconds) == 3
    assert min(seconds) >= 0.02


def test_the_median_and_the_slow_end() -> None:
    assert milliseconds([0.001 * n for n in range(1, 102)]) == pytest.approx((51.0, 96.0))
    detector = Detector()
    found = latency(detector, PHOTOGRAPHS)
    assert 0 < found["latency_ms"] <= found["latency_ms_p95"]
    assert WARM_UP + LEAST <= len(detector.seen) <= WARM_UP + MOST
