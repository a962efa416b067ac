"""Confidence intervals for shares counted on few parts."""

from __future__ import annotations

import math
from statistics import NormalDist

CONFIDENCE = 0.95


def wilson(count: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of Wilson (Journal of the American Statistical Association, 1927) for a share.

    Args:
        count: how many of `total`, which is at least one.
        confidence: in (0, 1).

    Returns:
        The lower and upper end, in [0, 1].
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = count / total
    centre = share + z * z / (2 * total)
    reach = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max((centre - reach) / scale, 0.0), min((centre + reach) / scale, 1.0)


def at_most(count: int, total: int, share: float) -> float:
    """P(X <= count) of a binomial X of `total` with probability `share`."""
    if count < 0:
        return 0.0
    if count >= total or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    terms = (
        math.exp(
            math.lgamma(total + 1)
            - math.lgamma(k + 1)
            - math.lgamma(total - k + 1)
            + k * math.log(share)
            + (total - k) * math.log1p(-share)
        )
        for k in range(count + 1)
    )
    return min(math.fsum(terms), 1.0)
