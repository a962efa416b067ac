"""The conformal threshold keeps its promise."""

import numpy as np
import pytest

from flawspot.errors import ConfigurationError, DataError
from flawspot.runtime.calibration import calibrate, images_needed, p_value, shortfall


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.29, 0.5])
@pytest.mark.parametrize("count", [1, 9, 42, 99, 100, 250])
def test_the_threshold_and_the_p_value_agree(rate: float, count: int) -> None:
    scores = np.random.default_rng(count).normal(size=count).tolist()
    calibration = calibrate(scores, scores, rate)
    for score in [*np.linspace(-3, 3, 101).tolist(), *scores]:
        assert (score > calibration.threshold) == (p_value(score, scores) <= calibration.promised_rate + 1e-12)


def test_the_false_alarm_rate_holds_on_new_good_parts() -> None:
    generator = np.random.default_rng(0)
    alarms = []
    for _ in range(2000):
        held_out = generator.normal(size=60)
        alarms.append(generator.normal() > calibrate(held_out.tolist(), held_out.tolist(), 0.1).threshold)
    assert np.mean(alarms) < 0.1 + 3 * np.sqrt(0.1 * 0.9 / 2000)


def test_ties_count_against_an_alarm() -> None:
    assert p_value(1.0, [1.0, 1.0, 0.0]) == 3 / 4
    assert calibrate([0.0, 1.0, 1.0], [0.0, 1.0, 1.0], 0.25).threshold == 1.0


def test_too_few_images_promise_what_they_can() -> None:
    calibration = calibrate([3.0, 1.0, 2.0], [6.0, 5.0, 4.0], 0.01)
    assert calibration.threshold == 3.0
    assert calibration.pixel_threshold == 6.0
    assert calibration.promised_rate == 0.25
    assert calibration.scores == (1.0, 2.0, 3.0)
    message = shortfall(calibration)
    assert message is not None
    assert "0.25" in message
    assert "99 held-out images" in message


def test_enough_images_need_no_warning() -> None:
    scores = list(map(float, range(99)))
    assert shortfall(calibrate(scores, scores, 0.01)) is None
    assert shortfall(calibrate(scores[1:], scores[1:], 0.01)) is not None


@pytest.mark.parametrize(("rate", "count"), [(0.01, 99), (0.05, 19), (0.5, 1), (0.001, 999)])
def test_images_needed(rate: float, count: int) -> None:
    assert images_needed(rate) == count


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="false-alarm rate"):
        calibrate([1.0], [1.0], rate)


@pytest.mark.parametrize("scores", [[], [float("nan")], [float("inf"), 1.0]])
def test_scores_must_be_there_and_finite(scores: list[float]) -> None:
    with pytest.raises(DataError):
        calibrate(scores, scores, 0.1)
