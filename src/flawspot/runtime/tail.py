"""Fits a tail to the highest scores: an estimate for rates that too few good parts cannot prove.

Scores above a high score u are modelled by a generalised Pareto distribution (Pickands, 1975; Balkema and de Haan,
1974). It is fitted by probability-weighted moments (Hosking and Wallis, Technometrics 1987), which are reliable for the
small numbers of exceedances here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flawspot.errors import ConfigurationError
from flawspot.runtime.json_reading import MAX_NUMBER

_SHARE = 0.2
"""Share of the scores that form the tail."""
LEAST = 10
"""Least number of exceedances."""
_SHAPE = 0.5
"""Limit of the shape parameter. Ten or twenty exceedances cannot show a heavier or a shorter tail."""


def tail_threshold(scores: Sequence[float], weights: Sequence[float], rate: float) -> float:
    """The score that a share `rate` of good parts is estimated to exceed.

    Args:
        scores: (n,) scores of good parts, ascending and finite.
        weights: (n,) weight of each, above 0; less than 1 if other scores belong to the same part.
        rate: a share in (0, 1).

    Raises:
        ConfigurationError: there are fewer than twice `LEAST` parts, or the rate is too small to compute.
    """
    values, weight = np.array(scores, np.float64), np.array(weights, np.float64)
    if weight.sum() < 2 * LEAST - 1e-6:
        raise ConfigurationError(
            f"{weight.sum():.0f} good parts are too few to fit a tail, which needs {2 * LEAST}: leave out the rule "
            "pareto"
        )
    share_above = 1 - np.cumsum(weight) / weight.sum()  # of each score
    start = min(max(int(np.searchsorted(-share_above, -_SHARE)), 0), len(values) - LEAST - 1)
    tail_share = float(share_above[start])
    if rate >= tail_share:
        return float(values[int(np.searchsorted(-share_above, -rate))])
    shape, scale = _pareto(values[start + 1 :] - values[start], weight[start + 1 :])
    ratio = min(tail_share / rate, 1e300)
    growth = np.log(ratio) if abs(shape) < 1e-9 else (ratio**shape - 1) / shape
    threshold = float(values[start] + scale * growth)
    if not abs(threshold) <= MAX_NUMBER:
        raise ConfigurationError(f"a rate of {rate:g} is too low for these scores: ask for a higher one")
    return threshold


def _pareto(excess: np.ndarray[tuple[int], np.dtype[np.float64]], weight: np.ndarray) -> tuple[float, float]:
    """Shape xi and scale of the excesses, ascending, by weighted moments of order 0 and 1."""
    share = weight / weight.sum()
    above = 1 - (np.cumsum(share) - share / 2)  # 1 - F at each
    mean, first = float(share @ excess), float((share * above) @ excess)
    spread = mean - 2 * first
    if spread <= 0 or mean <= 0:  # all equal
        return 0.0, max(mean, 0.0)
    shape = float(np.clip(2 - mean / spread, -_SHAPE, _SHAPE))
    # With the shape fixed, the mean of the distribution is scale / (1 - shape).
    return shape, mean * (1 - shape)
