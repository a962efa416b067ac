"""Which images an epoch of an update looks at."""

import numpy as np

from flawspot.methods.replaying import Shares


def test_each_once_where_all_old_photographs_are_kept():
    drawn = Shares(old=5, new=3, before=5, tiles=1).drawn(np.random.default_rng(0))
    assert sorted(drawn) == list(range(8))
    assert list(drawn) != sorted(drawn)


def test_kept_ones_stand_for_all_that_there_were():
    drawn = Shares(old=10, new=10, before=90, tiles=1).drawn(np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=20)
    assert counts[:10].sum() == 18
    assert set(counts[:10]) == {1, 2}
    assert counts[10:].sum() == 2
    assert counts[10:].max() == 1


def test_tiles_of_a_photograph_are_drawn_together():
    drawn = Shares(old=4, new=4, before=28, tiles=2).drawn(np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=16).reshape(8, 2)
    np.testing.assert_array_equal(counts[:, 0], counts[:, 1])
    assert counts[4:, 0].sum() == 1


def test_without_new_ones_the_old_ones_are_learned_again():
    assert sorted(Shares(old=4, new=0, before=9, tiles=1).drawn(np.random.default_rng(0))) == [0, 1, 2, 3]
