"""The conformal threshold keeps its promise."""

import numpy as np
import pytest

from flawspot.errors import ConfigurationError, DataError
from flawspot.runtime.calibration import calibrate, images_needed, p_value, recalibrate, shortfall
from flawspot.runtime.manifest import CalibrationInfo


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.29, 0.5])
@pytest.mark.parametrize("count", [1, 9, 42, 99, 100, 250])
def test_the_threshold_and_the_p_value_agree(rate: float, count: int) -> None:
    scores = np.random.default_rng(count).normal(size=count).tolist()
    calibration = calibrate(scores, rate)
    for score in [*np.linspace(-3, 3, 101).tolist(), *scores]:
        assert (score > calibration.threshold) == (p_value(score, scores) <= calibration.promised_rate + 1e-12)


def test_the_false_alarm_rate_holds_on_new_good_parts() -> None:
    generator = np.random.default_rng(0)
    alarms = []
    for _ in range(2000):
        held_out = generator.normal(size=60)
        alarms.append(generator.normal() > calibrate(held_out.tolist(), 0.1).threshold)
    assert np.mean(alarms) < 0.1 + 3 * np.sqrt(0.1 * 0.9 / 2000)


def test_ties_count_against_an_alarm() -> None:
    assert p_value(1.0, [1.0, 1.0, 0.0]) == 3 / 4
    assert calibrate([0.0, 1.0, 1.0], 0.25).threshold == 1.0


def test_too_few_images_promise_what_they_can() -> None:
    calibration = calibrate([3.0, 1.0, 2.0], 0.01)
    assert calibration.threshold == calibration.region_threshold == 3.0
    assert calibration.promised_rate == 0.25
    assert calibration.scores == (1.0, 2.0, 3.0)
    message = shortfall(calibration)
    assert message is not None
    assert "0.25" in message
    assert "99 held-out images" in message


def test_enough_images_need_no_warning() -> None:
    scores = list(map(float, range(99)))
    assert shortfall(calibrate(scores, 0.01)) is None
    assert shortfall(calibrate(scores[1:], 0.01)) is not None


@pytest.mark.parametrize(("rate", "count"), [(0.01, 99), (0.05, 19), (0.5, 1), (0.001, 999)])
def test_images_needed(rate: float, count: int) -> None:
    assert images_needed(rate) == count


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="false-alarm rate"):
        calibrate([1.0], rate)


@pytest.mark.parametrize("scores", [[], [float("nan")], [float("inf"), 1.0]])
def test_scores_must_be_there_and_finite(scores: list[float]) -> None:
    with pytest.raises(DataError):
        calibrate(scores, 0.1)


RATES = [5e-324, 1e-300, 1e-17, 1e-10, 1 / 3, 0.5, 1 - 1e-3, 1 - 1e-9, 1 - 1e-10, 1 - 2**-53]


@pytest.mark.parametrize("count", [1, 2, 3, 10, 99, 1000])
@pytest.mark.parametrize("rate", RATES)
def test_rates_at_the_borders(rate: float, count: int) -> None:
    """Every rate in (0, 1) gives the threshold that promises it, or the nearest that so many images can tell."""
    calibration = calibrate([float(score) for score in range(1, count + 1)], rate)
    alarms = (
        sum(score > calibration.threshold for score in calibration.scores) + 1
    )  # of count + 1 equally likely places
    assert 1 <= alarms <= count
    assert alarms / (count + 1) <= calibration.promised_rate * (1 + 1e-9)
    # One more would break the promise, unless there is no lower threshold.
    assert alarms == count or (alarms + 1) / (count + 1) > rate
    warning = shortfall(calibration)
    assert (warning is None) == (count >= images_needed(rate))
    assert warning is None or warning.isprintable()


def test_every_rate_that_a_count_can_promise_exactly() -> None:
    for count in range(1, 60):
        scores = [float(score) for score in range(count)]
        for alarms in range(1, count + 1):
            for rate in (alarms / (count + 1), np.nextafter(alarms / (count + 1), 1), alarms / (count + 1) + 1e-6):
                assert calibrate(scores, float(rate)).threshold == count - alarms


def test_another_rate_from_the_same_images() -> None:
    first = calibrate([4.0, 1.0, 3.0, 2.0], 0.2)
    assert recalibrate(first, 0.6) == calibrate([4.0, 1.0, 3.0, 2.0], 0.6)


def test_an_old_calibration_keeps_a_threshold_for_the_map() -> None:
    old = CalibrationInfo(0.2, 0.2, 4.0, (1.0, 2.0, 3.0, 4.0), pixel_threshold=8.0, map_maxima=(5.0, 6.0, 7.0, 8.0))
    assert old.region_threshold == 8.0
    changed = recalibrate(old, 0.6)
    assert (changed.threshold, changed.pixel_threshold, changed.region_threshold) == (2.0, 6.0, 6.0)
    assert (changed.scores, changed.map_maxima) == (old.scores, old.map_maxima)
