"""Student's intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from flawspot.benchmark.report.claims.interval import mean_interval, slope_interval, student


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 9, 14, 29, 200, 1001])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.9875, 0.999])
def test_quantiles_are_those_of_scipy(freedom: int, confidence: float) -> None:
    assert student(freedom, confidence) == pytest.approx(stats.t.ppf((1 + confidence) / 2, freedom), rel=1e-9)


def test_the_interval_of_a_mean_is_that_of_scipy() -> None:
    values = [0.1, 0.3, -0.2, 0.05, 0.11]
    expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert mean_interval(values, 0.95) == pytest.approx(expected)
    assert mean_interval([0.5, 0.5, 0.5], 0.95) == (0.5, 0.5)


def test_the_slope_is_that_of_scipy() -> None:
    x, y = [0.2, 0.9, 1.3, 2.0, 2.2], [0.31, 0.42, 0.40, 0.55, 0.61]
    line = stats.linregress(x, y)
    slope, low, high = slope_interval(x, y, 0.9)
    assert slope == pytest.approx(line.slope)
    reach = stats.t.ppf(0.95, 3) * line.stderr
    assert (low, high) == pytest.approx((line.slope - reach, line.slope + reach))


def test_three_categories_are_covered_as_often_as_is_said() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        low, high = mean_interval(list(generator.normal(0.02, 0.1, 3)), 0.95)
        hits += low <= 0.02 <= high
    assert 0.935 < hits / 2000 < 0.965
