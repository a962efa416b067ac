"""Pasted defects: seeded, on the part, visible, and small."""

import numpy as np
import pytest

from flawspot.data.pasted import part_of, paste_defect, within


def photograph(height: int = 120, width: int = 160) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    part = np.hypot(rows - height / 2, columns - width / 2) < 0.35 * min(height, width)
    image = np.full((height, width, 3), 20, np.uint8)
    image[part] = 120 + 20 * np.random.default_rng(0).integers(-1, 2, (int(part.sum()), 1))
    return image


def changed(seed: int, image: np.ndarray) -> np.ndarray:
    return (paste_defect(image, seed) != image).any(axis=2)


@pytest.mark.parametrize("seed", range(40))
def test_every_defect_is_there_and_small(seed: int) -> None:
    image = photograph()
    before = image.copy()
    mask = changed(seed, image)
    np.testing.assert_array_equal(image, before)
    assert 0 < mask.mean() < 0.1


def test_the_seed_decides() -> None:
    image = photograph()
    np.testing.assert_array_equal(paste_defect(image, 5), paste_defect(image, 5))
    assert len({paste_defect(image, seed).tobytes() for seed in range(30)}) == 30


def test_they_begin_on_the_part() -> None:
    image = photograph()
    part = image[:, :, 0] > 60
    touching = [bool((changed(seed, image) & part).any()) for seed in range(40)]
    assert all(touching)


@pytest.mark.parametrize("shape", [(8, 8), (3, 300), (64, 5)])
def test_odd_shapes(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    for seed in range(12):
        assert paste_defect(image, seed).shape == image.shape


def test_a_defect_lies_where_it_may():
    image = np.full((60, 80, 3), 30, np.uint8)
    image[10:50, 10:70] = 160
    where = np.zeros((60, 80), bool)
    where[20:30, 40:50] = True
    for seed in range(20):
        changed = (paste_defect(image, seed, where) != image).any(axis=2)
        assert not changed.any() or changed[16:34, 36:54].any()
    part = part_of(image)
    assert (within(part, where) == where).all()
    assert within(part, None) is part and within(part, np.zeros_like(part)) is part
    outside = np.zeros_like(part)
    outside[:5] = True
    assert within(part, outside) is outside
