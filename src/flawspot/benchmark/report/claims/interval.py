"""Confidence intervals of a mean or a slope over a few categories.

They are Student's t intervals, not the bootstrap of `flawspot.benchmark.report.statistics`. With three or four
categories, the percentiles of resampled means are within the range of the data and far too narrow for a decision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def mean_interval(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """Student's interval of the mean of independent `values`, at least two.

    Args:
        values: one for each category.
        confidence: in (0, 1).
    """
    count = len(values)
    mean = math.fsum(values) / count
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    reach = student(count - 1, confidence) * math.sqrt(variance / count)
    return mean - reach, mean + reach


def slope_interval(x: Sequence[float], y: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """The slope of the least-squares line of `y` over `x`, and its interval; at least three points.

    Args:
        x, y: of the same length; not all of `x` the same.
        confidence: in (0, 1).

    Returns:
        Slope, lower and upper end.
    """
    count = len(x)
    middle, level = math.fsum(x) / count, math.fsum(y) / count
    spread = math.fsum((one - middle) ** 2 for one in x)
    slope = math.fsum((one - middle) * other for one, other in zip(x, y, strict=True)) / spread
    left = math.fsum((other - level - slope * (one - middle)) ** 2 for one, other in zip(x, y, strict=True))
    reach = student(count - 2, confidence) * math.sqrt(left / (count - 2) / spread)
    return slope, slope - reach, slope + reach


def student(freedom: int, confidence: float) -> float:
    """The t within which Student's distribution lies with probability `confidence`, on both sides of zero.

    Args:
        freedom: degrees of freedom, 1 or more.
        confidence: in (0, 1).
    """
    low, high = 0.0, math.pi / 2
    for _ in range(80):  # of the angle whose tangent is t / sqrt(freedom)
        middle = (low + high) / 2
        if _within(freedom, middle) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _within(freedom: int, angle: float) -> float:
    """P(|T| < sqrt(freedom) tan(angle)): Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for power in range(1 if odd else 0, freedom - 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (power + 1) / (power + 2)
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
