"""Keeps a sample of photographs of old and new days within a budget."""

from __future__ import annotations

import dataclasses

import numpy as np

from flawspot.runtime.state import Kept, stacked


def joined(old: Kept, new: Kept) -> Kept:
    """Join old and new ones. The groups of the new ones are numbered after those of the old."""
    numbers = {
        group: number for number, group in enumerate(dict.fromkeys(old.groups))
    }  # however often, they stay small
    old = dataclasses.replace(old, groups=tuple(numbers[group] for group in old.groups))
    moved = dataclasses.replace(new, groups=tuple(group + len(numbers) for group in new.groups))
    return stacked([old, moved])


def sampled(old: Kept, new: Kept, seen: int, limit: int, seed: int) -> Kept:
    """Keep as many of both as fit the budget. Every photograph ever seen is equally likely to be kept.

    The old ones are a sample of all before them. The number of old ones to keep is therefore drawn without replacement,
    from all photographs that they stand for and the new ones (a reservoir; Vitter, Random sampling with a reservoir,
    1985).

    Args:
        old: the ones kept so far.
        new: those of this update.
        seen: the number of photographs that the old ones were drawn from.
        limit: the budget, in bytes.
        seed: seed of the draw.
    """
    both = joined(old, new)
    if not len(both) or both.nbytes <= limit:
        return both
    generator = np.random.default_rng([seed, len(both)])
    fits = max(int(limit / (both.nbytes / len(both))), 1)
    stood_for = max(len(old), seen)
    from_old = int(generator.hypergeometric(stood_for, len(new), min(fits, stood_for + len(new))))
    from_old = min(max(from_old, fits - len(new)), len(old))
    rows = [
        generator.choice(len(old), from_old, replace=False),
        len(old) + generator.choice(len(new), min(fits - from_old, len(new)), replace=False),
    ]
    return both.some(np.sort(np.concatenate(rows)).astype(np.int64))
