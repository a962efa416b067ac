"""Defects that detectors are judged by: exact masks, whatever the photograph, and the same bits by the same seed."""

import numpy as np
import pytest

from flawspot.data.defect_shapes import closed, noise, polygon_cover
from flawspot.data.gradient_blending import blended
from flawspot.data.judged_defects import KINDS, VISIBLE, judged_defect, place_candidates


def part(seed=0, height=160, width=120):
    """A textured part on a dark ground, with colour."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    inside = (np.abs(y / height - 0.5) < 0.35) & (np.abs(x / width - 0.5) < 0.35)
    image = np.full((height, width, 3), 30.0)
    image[inside] = (150, 130, 90)
    image += 12 * np.sin(x / 5 + seed)[:, :, None] * inside[:, :, None] + generator.normal(0, 3, (height, width, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_is_what_has_visibly_changed(kind):
    image, other = part(), part(1)
    for seed in range(6):
        made = judged_defect(image, seed, other, kind=kind)
        change = np.abs(made.image.astype(int) - image).max(axis=2)
        assert made.mask.shape == image.shape[:2]
        assert made.mask.any()
        # Closing adds to what is visible, and takes nothing away.
        assert (change[~made.mask] < VISIBLE).all()
        assert (change[made.mask] >= VISIBLE).mean() > 0.3
        assert made.mask.mean() < 0.2


def test_the_same_seed_makes_the_same_bits_and_leaves_the_photograph_alone():
    image, other = part(), part(1)
    before = image.copy()
    first, again = (judged_defect(image, 5, other) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.mask, again.mask)
    assert first.kind == again.kind
    assert np.array_equal(image, before)
    others = [judged_defect(image, seed, other) for seed in range(30)]
    assert {made.kind for made in others} == set(KINDS)
    assert not np.array_equal(others[0].image, others[1].image)


@pytest.mark.parametrize("shape", [(5, 5), (9, 200), (300, 20), (64, 64), (700, 900)])
def test_photographs_of_any_shape(shape):
    image = part(height=shape[0], width=shape[1])
    for seed, kind in enumerate(KINDS):
        made = judged_defect(image, seed, kind=kind)
        assert made.image.shape == image.shape
        assert made.image.dtype == np.uint8
        assert made.mask.any()


def test_on_one_colour_something_is_seen_too():
    for level in (0, 255):
        made = judged_defect(np.full((60, 60, 3), level, np.uint8), 3, kind="contrast")
        assert made.mask.any()


def test_what_has_no_colour_gets_none():
    image = np.repeat(part().mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    for seed, kind in enumerate(KINDS):
        assert np.ptp(judged_defect(image, seed, part(1), kind=kind).image.astype(int), axis=2).max() <= 1


def test_it_lies_on_the_part_and_where_it_may():
    image = part(height=240, width=240)
    candidates, step = place_candidates(image)
    assert step == 1
    where = np.zeros((240, 240), bool)
    where[100:120, 100:120] = True
    for seed in range(20):
        made = judged_defect(image, seed, kind="chip")
        rows, columns = np.nonzero(made.mask)
        assert candidates[int(rows.mean()), int(columns.mean())]
        rows, columns = np.nonzero(judged_defect(image, seed, kind="chip", where=where).mask)
        assert abs(rows.mean() - 110) < 24
        assert abs(columns.mean() - 110) < 24


def test_sizes_reach_from_small_to_large_and_contrasts_from_faint_to_plain():
    image = part(height=400, width=400)
    made = [judged_defect(image, seed, kind="chip") for seed in range(60)]
    shares = np.array([np.sqrt(one.mask.sum()) / 400 for one in made])
    assert shares.min() < 0.02
    assert shares.max() > 0.08
    change = [np.abs(one.image.astype(int) - image).max(axis=2)[one.mask].mean() for one in made]
    assert min(change) < 30
    assert max(change) > 70


def test_blending_solves_poisson_s_equation():
    generator = np.random.default_rng(0)
    place, piece = (generator.uniform(0, 255, (9, 13, 3)).astype(np.float32) for _ in range(2))
    found = blended(place, piece).astype(np.float64)
    assert np.array_equal(found[0], place[0])
    assert np.array_equal(found[:, -1], place[:, -1])

    def laplacian(f):
        return 4 * f[1:-1, 1:-1] - f[:-2, 1:-1] - f[2:, 1:-1] - f[1:-1, :-2] - f[1:-1, 2:]

    assert np.abs(laplacian(found) - laplacian(piece.astype(np.float64))).max() < 1e-3
    # The same piece with another brightness comes to the same.
    assert np.abs(blended(place, piece + 40) - found).max() < 1e-3
    assert np.array_equal(blended(place[:2], piece[:2]), place[:2])


def test_noise_fills_its_range_and_polygons_their_size():
    generator = np.random.default_rng(0)
    values = noise((40, 60), generator, 10.0, octaves=3)
    assert values.shape == (40, 60)
    assert values.min() == 0
    assert values.max() == pytest.approx(1, abs=1e-6)
    cover = polygon_cover((80, 80), generator, 40.0, 1.0)
    rows, columns = np.nonzero(cover > 0.5)
    assert 20 < max(np.ptp(rows), np.ptp(columns)) <= 42


def test_closing_fills_gaps_and_moves_no_edge():
    mask = np.zeros((9, 12), bool)
    mask[2:7, 2:5] = mask[2:7, 6:9] = True
    wanted = mask.copy()
    wanted[2:7, 5] = True
    assert np.array_equal(closed(mask, 1), wanted)
    assert not closed(np.zeros((4, 4), bool), 2).any()
