"""What is kept of old and new photographs together."""

import dataclasses

import numpy as np

from flawspot.runtime.state import NONE, Kept
from flawspot.updating.reservoir import joined, sampled

MEGABYTE = 2**20


def kept(count, first=0, size=2**16):
    """Each of a quarter of a megabyte."""
    numbers = range(first, first + count)
    maps = {0: np.broadcast_to(np.float32(first), (count, 1, size, 1))}
    return Kept(tuple(map(str, numbers)), tuple(map(str, numbers)), tuple(range(count)), maps)


def test_groups_of_two_days_are_no_groups():
    both = joined(kept(3), kept(2, first=10))
    assert both.groups == (0, 1, 2, 3, 4)
    assert both.hashes == ("0", "1", "2", "10", "11")


def test_what_fits_is_kept():
    assert len(sampled(kept(3), kept(1, first=10), 3, MEGABYTE, 0)) == 4
    assert len(sampled(kept(3), NONE, 3, MEGABYTE, 0)) == 3


def test_the_budget_holds():
    for seed in range(20):
        found = sampled(kept(6), kept(7, first=100), 6, 2 * MEGABYTE, seed)
        assert len(found) == 8
        assert len(set(found.hashes)) == 8


def test_every_photograph_ever_seen_is_as_likely_to_stay():
    counts = []
    for seed in range(300):
        # Four old ones stand for twelve that were seen; four places, and four new ones.
        found = sampled(kept(4), kept(4, first=100), 12, MEGABYTE, seed)
        counts.append(sum(int(each) < 100 for each in found.hashes))
    assert abs(np.mean(counts) - 4 * 12 / 16) < 0.15


def test_groups_stay_small_numbers():
    both = joined(dataclasses.replace(kept(3), groups=(2**31 - 1, 7, 2**31 - 1)), kept(2, first=10))
    assert both.groups == (0, 1, 0, 2, 3)
