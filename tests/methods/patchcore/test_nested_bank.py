"""A bank as a tree gives back the bank."""

import numpy as np
import pytest

from flawspot.methods.patchcore.nested_bank import candidates_of, nest, nests


def test_every_patch_is_found_again_through_the_tree() -> None:
    generator = np.random.default_rng(0)
    coarse = generator.normal(size=(7, 4)).astype(np.float32)
    middle_of = generator.integers(0, 7, 20)  # the coarse row of each of 20 middle ones
    middle = generator.normal(size=(20, 3)).astype(np.float32)
    of = generator.integers(0, 20, 150)
    fine = generator.normal(size=(150, 2)).astype(np.float32)
    bank = np.concatenate([fine, middle[of], coarse[middle_of[of]]], axis=1)
    nested = nest(bank, (2, 3, 4), ((8, 8), (4, 4), (2, 2)))
    first, second = nested.levels
    assert (nested.grid, first.grid, second.grid) == ((8, 8), (4, 4), (2, 2))
    assert len(second.members) == len(np.unique(middle_of[of]))
    assert sorted(set(nested.members.ravel())) == list(range(150))
    for places in nested.members:
        np.testing.assert_array_equal(bank[first.members][:, 2:5], bank[places][:, 2:5])
        assert first.parents is not None
        np.testing.assert_array_equal(bank[second.members[first.parents]][:, 5:], bank[places][:, 5:])
    assert second.parents is None


def test_a_bank_without_repetition_has_a_block_for_each_patch() -> None:
    bank = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    nested = nest(bank, (2, 4), ((4, 6), (2, 2)))
    assert nested.members.shape == (1, 50)


def test_equal_coarse_rows_below_different_coarser_ones_are_kept_apart() -> None:
    bank = np.array([[1, 5, 7], [2, 5, 8]], np.float32)
    nested = nest(bank, (1, 1, 1), ((4, 4), (2, 4), (1, 2)))
    assert len(nested.levels[0].members) == 2


@pytest.mark.parametrize(
    ("grids", "nest_"),
    [((56, 14, 7), True), ((28, 14, 14), True), ((14, 14, 14), False), ((44, 22, 6), False), ((28,), False)],
)
def test_which_layers_nest(grids: tuple[int, ...], nest_: bool) -> None:
    assert nests([(side, side) for side in grids]) is nest_
    assert nests([(2 * side, 3 * side) for side in grids]) is nest_


def test_grids_must_divide_along_both_axes() -> None:
    assert nests([(16, 24), (4, 6), (2, 3)])
    assert not nests([(16, 26), (4, 6)])
    assert not nests([(18, 24), (4, 6)])


def test_a_search_among_many_blocks_compares_more_of_them_first() -> None:
    assert candidates_of(3_300) == (48, 384)
    assert candidates_of(10_000) == (96, 384)
