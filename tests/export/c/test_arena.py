"""Placing blocks of memory."""

import numpy as np
import pytest

from flawspot.export.c.arena import ALIGNMENT, Block, plan


def random_blocks(seed):
    generator = np.random.default_rng(seed)
    blocks = []
    for index in range(40):
        first = int(generator.integers(0, 50))
        last = first + int(generator.integers(0, 8))
        blocks.append(Block(f"b{index}", int(generator.integers(1, 5000)), first, last))
    return blocks


@pytest.mark.parametrize("seed", range(5))
def test_blocks_of_the_same_time_do_not_overlap(seed):
    blocks = random_blocks(seed)
    found = plan(blocks)
    for block in blocks:
        assert found.places[block.name] % ALIGNMENT == 0
        assert found.places[block.name] + block.bytes <= found.bytes
        for other in blocks:
            if block is not other and block.first <= other.last and other.first <= block.last:
                first, second = sorted((block, other), key=lambda each: found.places[each.name])
                assert found.places[first.name] + first.bytes <= found.places[second.name]
    assert found.bound <= found.bytes <= 1.2 * found.bound


def test_the_same_blocks_lie_the_same():
    assert plan(random_blocks(1)) == plan(random_blocks(1))


def test_what_is_over_makes_room():
    found = plan([Block("a", 100, 0, 1), Block("b", 100, 1, 2), Block("c", 100, 2, 3)])
    assert found.bytes == found.bound == 2 * 112
