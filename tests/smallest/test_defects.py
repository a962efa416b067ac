"""Pasted defects of known size: as long, wide and different as they are called, and gone afterwards."""

import math

import numpy as np
import pytest

from flawspot.smallest.defects import Place, at, excerpt, ladder, pasted, places

GREY = 120


def flat(height=200, width=300):
    return np.full((height, width, 3), GREY, np.uint8)


def changed(image, defect):
    """(H, W) by how many grey levels it changes."""
    before = image.copy()
    with pasted(image, defect):
        difference = image.astype(int) - before
    np.testing.assert_array_equal(image, before)
    assert (difference == difference[:, :, :1]).all()
    return difference[:, :, 0]


@pytest.mark.parametrize("angle", [0, 0.4, math.pi / 2, 2.5])
@pytest.mark.parametrize(("length", "width"), [(8, 2), (48, 12), (120, 30)])
def test_a_straight_scratch_has_its_length_and_width(angle, length, width):
    defect = at(Place(100.3, 150.7, angle, 0.0, 1), "scratch", (length, width), 40, (200, 300, 3))
    cover = changed(flat(), defect) / 40
    assert cover.max() == 1
    # A rectangle with two half discs at its ends.
    area = (length - width) * width + math.pi * width**2 / 4
    assert cover.sum() == pytest.approx(area, rel=0.03)
    rows, columns = np.nonzero(cover >= 0.5)
    along = (columns + 0.5 - 150.7) * math.cos(angle) + (rows + 0.5 - 100.3) * math.sin(angle)
    across = (rows + 0.5 - 100.3) * math.cos(angle) - (columns + 0.5 - 150.7) * math.sin(angle)
    assert np.ptp(along) + 1 == pytest.approx(length, abs=1.5)
    assert np.ptp(across) + 1 == pytest.approx(width, abs=1.5)


@pytest.mark.parametrize("bend", [-0.6, 0.6, 0.3])
def test_a_bent_scratch_is_as_long_along_its_arc(bend):
    defect = at(Place(100, 150, 0.7, bend, -1), "scratch", (100, 10), 40, (200, 300, 3))
    cover = changed(flat(), defect) / -40
    assert cover.sum() == pytest.approx(90 * 10 + math.pi * 25, rel=0.02)
    straight = at(Place(100, 150, 0.7, 0.0, -1), "scratch", (100, 10), 40, (200, 300, 3))
    assert (changed(flat(), straight) / -40 != cover).any()


@pytest.mark.parametrize("diameter", [2, 3, 8, 40])
def test_a_spot_has_its_diameter(diameter):
    cover = changed(flat(), at(Place(70.2, 90.6, 0, 0, 1), "spot", (diameter, diameter), 80, (200, 300, 3))) / 80
    assert cover.sum() == pytest.approx(math.pi * diameter**2 / 4, rel=0.08)


def test_the_thinnest_are_antialiased_not_lost():
    cover = changed(flat(), at(Place(70.5, 90.5, 0.4, 0, 1), "scratch", (4, 1), 80, (200, 300, 3))) / 80
    assert cover.max() > 0.7
    assert cover.sum() == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize(("level", "sign", "expected"), [(10, -1, 40), (245, 1, -40), (120, 1, 40), (120, -1, -40)])
def test_where_there_is_no_room_the_sign_turns(level, sign, expected):
    image = np.full((50, 50, 3), level, np.uint8)
    difference = changed(image, at(Place(25, 25, 0, 0, sign), "spot", (8, 8), 40, image.shape))
    extreme = difference.max() if expected > 0 else difference.min()
    assert extreme == expected
    assert (difference * expected >= 0).all()


@pytest.mark.parametrize("centre", [(0, 0), (199.9, 299.9), (0, 150), (100, 299)])
def test_all_of_it_lies_within(centre):
    defect = at(Place(*centre, 0.6, 0.4, 1), "scratch", (48, 12), 40, (200, 300, 3))
    cover = changed(flat(), defect) / 40
    assert cover.sum() == pytest.approx(36 * 12 + math.pi * 36, rel=0.03)


def test_larger_than_the_photograph():
    image = np.full((6, 5, 3), GREY, np.uint8)
    assert changed(image, at(Place(1, 1, 0, 0, 1), "spot", (20, 20), 40, image.shape)).max() == 40


def test_an_error_in_between_leaves_the_photograph():
    image = flat()
    defect = at(Place(20, 20, 0, 0, 1), "spot", (8, 8), 40, image.shape)
    with pytest.raises(KeyboardInterrupt), pasted(image, defect):
        raise KeyboardInterrupt
    np.testing.assert_array_equal(image, flat())


def test_distance():
    spot = at(Place(50, 60, 0, 0, 1), "spot", (10, 10), 40, (200, 300, 3))
    np.testing.assert_allclose(spot.distance(np.array([50.0, 50.0]), np.array([60.0, 75.0])), [-5, 10])
    scratch = at(Place(50, 60, 0, 0, 1), "scratch", (20, 5), 40, (200, 300, 3))
    np.testing.assert_allclose(scratch.distance(np.array([50.0, 60.0]), np.array([80.0, 60.0])), [10, 7.5])


@pytest.mark.parametrize("shape", [(120, 160), (3000, 40), (900, 1300)])
def test_places_are_on_the_part_and_seeded(shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    part = np.hypot((rows - shape[0] / 2) / shape[0], (columns - shape[1] / 2) / shape[1]) < 0.3
    image = np.full((*shape, 3), 20, np.uint8)
    image[part] = 150
    found = places(image, [np.random.default_rng(seed) for seed in range(30)])
    assert found == places(image, [np.random.default_rng(seed) for seed in range(30)])
    assert len({(place.row, place.column) for place in found}) == 30
    assert {place.sign for place in found} == {1, -1}
    near = [part[max(int(p.row) - 3, 0) : int(p.row) + 4, max(int(p.column) - 3, 0) : int(p.column) + 4] for p in found]
    assert all(each.any() for each in near)


@pytest.mark.parametrize(
    ("kind", "side", "map_side", "expected"),
    [
        ("scratch", 900, 224, [(4 * width, width) for width in (2, 3, 4, 6, 8, 12, 16, 24, 32, 48)]),
        ("spot", 900, 224, [(width, width) for width in (3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)]),
        ("spot", 64, 64, [(1, 1), (2, 2), (3, 3), (4, 4), (6, 6), (8, 8)]),
        ("scratch", 4, 8, [(4, 1)]),
        ("spot", 1, 224, [(1, 1)]),
    ],
)  # fmt: skip
def test_ladder(kind, side, map_side, expected):
    assert ladder(kind, side, map_side) == expected


@pytest.mark.parametrize("shape", [(5, 5), (40, 900), (700, 700)])
def test_excerpts_lie_within(shape):
    image = np.full((*shape, 3), GREY, np.uint8)
    defect = at(Place(shape[0] - 1, 1, 0, 0, 1), "spot", (4, 4), 40, shape)
    assert max(excerpt(image, defect, 100).size) <= 100
