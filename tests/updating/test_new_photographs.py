"""Which of the new photographs serve for what."""

import numpy as np
import pytest

from flawspot.updating.new_photographs import divided


def test_none_is_none():
    assert all(not len(rows) for rows in divided(np.empty(0, np.int64), 0.2, 0.0, 0))


@pytest.mark.parametrize("validating", [0.0, 0.2])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 37])
def test_every_photograph_serves_for_one_thing(count, validating):
    parts = divided(np.arange(count), 0.2, validating, 0)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(count))
    assert len(parts[0])  # there is always something to learn
    assert bool(len(parts[1])) == (validating > 0 and count > 2)


def test_photographs_of_one_part_stay_together():
    groups = np.repeat(np.arange(6), 3)
    for seed in range(5):
        parts = divided(groups, 0.3, 0.3, seed)
        owners = [set(groups[rows].tolist()) for rows in parts]
        assert not owners[0] & owners[1]
        assert not owners[0] & owners[2]
        assert not owners[1] & owners[2]
