"""Seeded random splits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ConfigurationError

# In binary floating point, 1 - 0.7 - 0.2 - 0.1 is not 0, and 0.29 * 100 is not 29.
_ROUNDING = 1e-9


def split(count: int, fractions: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Split range(count) at random into disjoint parts: the remainder, then one part for each fraction.

    Sizes are rounded by largest remainders. Each part gets the whole number below its share. The indices left over go
    one each to the parts whose shares were cut the most (of equals to the earlier). Then every part whose fraction is
    above zero, the remainder too, gets at least one index, taken from the largest part, as long as `count` allows. If
    there are fewer indices than such parts, the earlier parts have one each.

    Args:
        count: the number of indices.
        fractions: the share of each part, in 0..1, at most 1 together. The rest up to 1 is the remainder's share.
        seed: the same seed gives the same split.

    Returns:
        ``[remainder, part_1, part_2, ...]``, each a sorted int64 array. Together they hold every index once.

    Raises:
        ConfigurationError: a fraction outside 0..1, or a sum above 1.
    """
    if any(not 0 <= fraction <= 1 for fraction in fractions) or math.fsum(fractions) > 1 + _ROUNDING:
        listed = ", ".join(f"{fraction:g}" for fraction in fractions)
        raise ConfigurationError(f"the fractions of a split ({listed}) must be in 0..1 and sum to at most 1")
    rest = 1 - math.fsum(fractions)
    sizes = _sizes(count, [rest if rest > _ROUNDING else 0.0, *fractions])
    order = np.random.default_rng(seed).permutation(count).astype(np.int64)
    ends = np.cumsum(sizes)
    return [np.sort(order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def split_groups(groups: NDArray[np.int64], fractions: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Split groups as `split` does. No group is divided. The fractions refer to the number of groups.

    Args:
        groups: (N,) group of each index, numbered from 0 without gaps.
        fractions, seed: as for `split`.

    Returns:
        As for `split`. If every group has one index, in their order, the result is the same.

    Raises:
        ConfigurationError: as for `split`.
    """
    parts = split(int(groups.max(initial=-1)) + 1, fractions, seed)
    return [np.flatnonzero(np.isin(groups, part)).astype(np.int64) for part in parts]


def folds(groups: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Distribute whole groups over `count` folds at random, as evenly as possible.

    Returns:
        (N,) fold of each index, from 0 to one less than `count`, or one less than the number of groups if that is
        smaller.
    """
    total = int(groups.max(initial=-1)) + 1
    fold_of_group = np.empty(total, np.int64)
    fold_of_group[np.random.default_rng(seed).permutation(total)] = np.arange(total) % count
    return fold_of_group[groups]


def _sizes(count: int, shares: Sequence[float]) -> list[int]:
    sizes = [math.floor(share * count + _ROUNDING) for share in shares]
    cut = [share * count - size for share, size in zip(shares, sizes, strict=True)]
    by_cut = sorted(range(len(shares)), key=lambda part: (-round(cut[part], 6), part))
    for part in by_cut[: count - sum(sizes)]:
        sizes[part] += 1
    wanted = [part for part, share in enumerate(shares) if share > 0]
    if count < len(wanted):
        return [int(part in wanted[:count]) for part in range(len(shares))]
    for part in wanted:
        if sizes[part] == 0:
            sizes[sizes.index(max(sizes))] -= 1
            sizes[part] = 1
    return sizes
