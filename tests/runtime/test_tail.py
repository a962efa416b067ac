"""The smooth tail is near the truth where that is known."""

import numpy as np
import pytest

from flawspot.errors import ConfigurationError
from flawspot.runtime.calibration import calibrate
from flawspot.runtime.tail import tail_threshold


@pytest.mark.parametrize("draw", ["exponential", "normal", "uniform"])
@pytest.mark.parametrize("rate", [0.005, 0.01, 0.05])
def test_the_rate_is_near_the_asked_one(draw: str, rate: float) -> None:
    generator = np.random.default_rng(0)
    got = []
    for _ in range(300):
        scores = np.sort(getattr(generator, draw)(size=100))
        threshold = tail_threshold(scores.tolist(), [1.0] * 100, rate)
        got.append(np.mean(getattr(generator, draw)(size=2000) > threshold))
    assert np.mean(got) < 2 * rate
    # The end of a uniform distribution is too sharp for so few exceedances to show.
    assert draw == "uniform" or np.mean(got) > rate / 2


def test_it_falls_with_the_rate() -> None:
    scores = np.sort(np.random.default_rng(1).gamma(3, size=60)).tolist()
    thresholds = [tail_threshold(scores, [1.0] * 60, rate) for rate in (0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 0.9)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] > scores[-1]


def test_repeated_photographs_change_little() -> None:
    scores = np.sort(np.random.default_rng(2).gamma(3, size=60))
    once = tail_threshold(scores.tolist(), [1.0] * 60, 0.01)
    thrice = tail_threshold(np.repeat(scores, 3).tolist(), [1 / 3] * 180, 0.01)
    assert thrice == pytest.approx(once, rel=0.05)


def test_scores_that_are_all_alike() -> None:
    assert tail_threshold([2.0] * 40, [1.0] * 40, 0.01) == 2.0


def test_too_few_scores() -> None:
    with pytest.raises(ConfigurationError, match="which needs 20"):
        calibrate([1.0] * 19, 0.01, rule="pareto")


def test_the_manifest_says_that_it_is_an_estimate() -> None:
    calibration = calibrate(np.random.default_rng(3).normal(size=50).tolist(), 0.01, rule="pareto")
    assert calibration.rule == "pareto"
    assert calibration.threshold not in calibration.scores


def test_photographs_of_one_part_make_no_tail() -> None:
    with pytest.raises(ConfigurationError, match="1 good parts are too few"):
        calibrate([1 + index / 100 for index in range(20)], 0.001, groups=[0] * 20, rule="pareto")


@pytest.mark.parametrize("rate", [1e-300, 1e-320])
def test_rates_beyond_all_numbers(rate: float) -> None:
    scores = [*([1.0] * 19), 5.0, *map(float, range(5, 40))]
    try:
        threshold = calibrate(scores, rate, rule="pareto").threshold
    except ConfigurationError:
        return
    assert np.isfinite(threshold)
