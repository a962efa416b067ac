import numpy as np
import pytest

from flawspot.data.splits import folds, split, split_groups
from flawspot.errors import ConfigurationError


def sizes(count: int, *fractions: float) -> list[int]:
    return [len(part) for part in split(count, fractions, seed=0)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 10, 17, 209])
@pytest.mark.parametrize(
    "fractions", [(), (0.2,), (0.2, 0.2), (0.5, 0.5), (0.7, 0.2, 0.1), (0.01,), (0.0, 0.3), (1.0,)]
)
def test_parts_are_disjoint_sorted_and_hold_everything(count, fractions):
    parts = split(count, fractions, seed=3)
    assert len(parts) == len(fractions) + 1
    assert all(part.dtype == np.int64 and (np.diff(part) > 0).all() for part in parts)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(count))
    shares = [1 - sum(fractions), *fractions]
    wanted = [share > 1e-9 for share in shares]
    for part, share, positive in zip(parts, shares, wanted, strict=True):
        assert positive or len(part) == 0
        assert count < sum(wanted) or not positive or len(part) >= 1
        assert count < sum(wanted) or abs(len(part) - share * count) <= sum(wanted)


def test_sizes_as_documented():
    assert sizes(100, 0.2) == [80, 20]
    assert sizes(100, 0.29) == [71, 29]
    assert sizes(209, 0.2, 0.2) == [125, 42, 42]
    assert sizes(10, 0.7, 0.2, 0.1) == [0, 7, 2, 1]
    assert sizes(3, 0.5) == [2, 1]
    assert sizes(5, 0.01) == [4, 1]
    assert sizes(3, 0.01, 0.01) == [1, 1, 1]
    assert sizes(2, 0.2, 0.2) == [1, 1, 0]
    assert sizes(1, 0.9) == [1, 0]


def test_the_seed_decides():
    first, again, other = (split(100, [0.2], seed)[1] for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("fractions", [(0.6, 0.5), (-0.1,), (1.5,), (float("nan"),)])
def test_impossible_fractions(fractions):
    with pytest.raises(ConfigurationError, match="at most 1"):
        split(10, fractions, seed=0)


def test_groups_are_never_cut():
    groups = np.array([0, 1, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 9])
    parts = split_groups(groups, [0.2, 0.1], seed=2)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(groups)))
    held = [set(groups[part].tolist()) for part in parts]
    assert [len(group) for group in held] == [7, 2, 1]
    assert not held[0] & held[1]


def test_groups_of_one_are_split_as_what_they_hold():
    for count in (2, 5, 209):
        for one, other in zip(split_groups(np.arange(count), [0.2], 4), split(count, [0.2], 4), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("groups", [np.arange(23), np.arange(23) // 3, np.zeros(4, np.int64), np.array([0, 1])])
def test_folds_hold_whole_groups_evenly(groups):
    found = folds(groups, 5, seed=1)
    numbers = [len(set(groups[found == fold].tolist())) for fold in range(found.max() + 1)]
    assert sum(numbers) == groups.max() + 1
    assert len(numbers) == min(5, groups.max() + 1)
    assert max(numbers) - min(numbers) <= 1
    np.testing.assert_array_equal(found, folds(groups, 5, seed=1))
