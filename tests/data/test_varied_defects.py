"""Pasted defects that a network learns from: seeded, of every kind, where something is to be seen, with true masks."""

import numpy as np
import pytest

from flawspot.data import varied_defects
from flawspot.data.varied_defects import KINDS, VISIBLE, paste_defects, vary
from flawspot.data.varied_shapes import smooth_noise


def scene(height=160, width=200, seed=0):
    y, x = np.mgrid[:height, :width]
    part = np.hypot(y - height / 2, x - width / 2) < min(height, width) / 3
    grain = np.random.default_rng(seed).normal(0, 3, (height, width, 3))
    picture = (
        np.where(part[:, :, None], [150, 120, 90], [30, 30, 35]) + 12 * np.sin(x / 7)[:, :, None] * part[:, :, None]
    )
    return np.clip(picture + grain, 0, 255).astype(np.uint8), part


def test_the_same_seed_makes_the_same_bits_and_leaves_the_photograph_alone():
    image, _ = scene()
    before = image.copy()
    one, two = (paste_defects(image, [1, 2], other=scene(seed=3)[0]) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    np.testing.assert_array_equal(image, before)
    assert (paste_defects(image, [1, 3])[0] != one[0]).any()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.strip("_"))
def test_the_mask_is_where_the_photograph_is_visibly_another(kind, monkeypatch):
    """Every kind; the mask may close gaps of a pixel, and nothing beyond."""
    monkeypatch.setattr(varied_defects, "KINDS", (kind,))
    monkeypatch.setattr(varied_defects, "SHARES", (1.0,))
    monkeypatch.setattr(varied_defects, "vary", lambda image, *_: image)
    image, _ = scene()
    seen = 0
    for seed in range(12):
        changed, mask = paste_defects(image, [seed], other=scene(seed=9)[0])
        assert changed.dtype == np.uint8
        assert changed.shape == image.shape
        assert mask.shape == image.shape[:2]
        visible = np.abs(changed.astype(int) - image).max(axis=2) >= VISIBLE
        assert (mask | ~visible).all()
        grown = np.pad(visible, 2)
        near = np.any([grown[a : a + 160, b : b + 200] for a in range(5) for b in range(5)], axis=0)
        assert (near | ~mask).all()
        seen += bool(mask.any())
    assert seen >= 6


def test_defects_lie_where_something_is_to_be_seen():
    image, part = scene()
    total = sum(paste_defects(image, [seed], unit=0.3)[1].astype(int) for seed in range(60))
    assert total[part].mean() > 2 * total[~part].mean()


def test_their_middles_lie_where_they_may():
    image, _ = scene()
    where = np.zeros(image.shape[:2], bool)
    where[20:60, 20:60] = True
    total = sum(paste_defects(image, [seed], unit=0.2, where=where)[1].astype(int) for seed in range(20))
    assert total[:80, :80].sum() > 0.9 * total.sum()


def test_sizes_follow_the_unit():
    image, _ = scene(320, 320)
    small, large = (
        np.mean([paste_defects(image, [seed], unit=unit)[1].mean() for seed in range(25)]) for unit in (0.25, 1.0)
    )
    assert large > 3 * small


@pytest.mark.parametrize("shape", [(32, 32), (33, 300), (64, 5), (4, 4)])
def test_photographs_of_any_shape_get_defects(shape):
    flat = np.full((*shape, 3), 200, np.uint8)
    for seed in range(30):
        changed, mask = paste_defects(flat, [seed], other=np.zeros((3, 3, 3), np.uint8))
        assert changed.shape == flat.shape
        assert mask.shape == shape


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 800), (200, 3)])
def test_one_without_room_for_a_defect_stays_as_it_is(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    changed, mask = paste_defects(image, [0], other=scene()[0])
    np.testing.assert_array_equal(changed, image)
    assert changed is not image
    assert mask.shape == shape
    assert not mask.any()


def test_a_good_photograph_varies_little():
    image, _ = scene()
    for seed in range(5):
        varied = vary(image, np.random.default_rng(seed))
        assert np.abs(varied.mean() / image.mean() - 1) < 0.15
        assert varied.shape == image.shape


def test_noise_is_as_coarse_as_it_is_asked_for():
    generator = np.random.default_rng(0)
    fine, coarse = (smooth_noise(generator, scale, (128, 96)) for scale in (2.0, 30.0))
    assert fine.shape == coarse.shape == (128, 96)
    assert np.abs(np.diff(fine, axis=0)).mean() > 5 * np.abs(np.diff(coarse, axis=0)).mean()
