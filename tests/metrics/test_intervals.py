"""Intervals of shares, against published and exact values."""

import math

import pytest

from flawspot.metrics.intervals import at_most, wilson


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (5, 5, 0.5655, 1.0)],
)
def test_wilson(count: int, total: int, low: float, high: float) -> None:
    """81 of 263 and 15 of 148: Newcombe, Statistics in Medicine 1998, table I."""
    found = wilson(count, total)
    assert found == (pytest.approx(low, abs=6e-4), pytest.approx(high, abs=6e-4))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_binomial(share: float) -> None:
    for count in range(-1, 13):
        exact = sum(math.comb(12, k) * share**k * (1 - share) ** (12 - k) for k in range(count + 1))
        assert at_most(count, 12, share) == pytest.approx(exact, abs=1e-12)
