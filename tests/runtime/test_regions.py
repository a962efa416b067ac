"""Connected regions against scipy."""

import numpy as np
import pytest
from scipy import ndimage

from flawspot.runtime.regions import above, bounding_boxes, find_regions, label_regions, photograph_mask, region_masks

EIGHT = np.ones((3, 3))


def spiral(size: int = 41) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    top, left, bottom, right = 0, 0, size - 1, size - 1
    while top <= bottom and left <= right:
        mask[top, left : right + 1] = True
        mask[top : bottom + 1, right] = True
        mask[bottom, left : right + 1] = True
        mask[top + 2 : bottom + 1, left] = True
        top, left, bottom, right = top + 2, left + 2, bottom - 2, right - 2
    return mask


MASKS = {
    **{
        f"density {d}": np.random.default_rng(int(100 * d)).random((61, 83)) < d
        for d in (0.01, 0.1, 0.3, 0.5, 0.8, 0.99)
    },
    "empty": np.zeros((9, 7), bool),
    "full": np.ones((9, 7), bool),
    "a row": np.array([[1, 0, 1, 1, 0, 1]], bool),
    "a column": np.array([[1, 0, 1, 1, 0, 1]], bool).T,
    "checkerboard": np.indices((12, 12)).sum(0) % 2 == 0,
    "corners": np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], bool),
    "spiral": spiral(),
    "a comb": np.array([[1, 0, 1, 0, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]], bool),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_equals_scipy(mask: np.ndarray) -> None:
    labels, count = label_regions(mask)
    expected, expected_count = ndimage.label(mask, structure=EIGHT)
    assert count == expected_count
    # The same partition, and the same order: by each region's first pixel.
    pairs = {(int(a), int(b)) for a, b in zip(labels.ravel(), expected.ravel(), strict=True)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    seen = labels[labels > 0]
    firsts = seen[np.sort(np.unique(seen, return_index=True)[1])]
    assert firsts.tolist() == list(range(1, count + 1))


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_boxes_equal_scipy(mask: np.ndarray) -> None:
    labels, count = label_regions(mask)
    slices = ndimage.find_objects(labels)
    assert bounding_boxes(labels, count) == [(s[1].start, s[0].start, s[1].stop, s[0].stop) for s in slices]


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_regions_equal_scipy(mask: np.ndarray) -> None:
    values = np.where(mask, 1 + np.random.default_rng(0).random(mask.shape), 0.5).astype(np.float32)
    height, width = mask.shape
    found = find_regions(values, 1.0, (width, height))
    labels, count = ndimage.label(mask, structure=EIGHT)
    numbers = range(1, count + 1)
    peaks = ndimage.maximum(values, labels, numbers) if count else []
    assert [region.peak for region in found] == sorted(map(float, peaks), reverse=True)
    expected = {
        (float(peak), round(float(mean), 5), int(area))
        for peak, mean, area in zip(
            peaks,
            ndimage.mean(values.astype(float), labels, numbers) if count else [],
            np.bincount(labels.ravel())[1:],
            strict=True,
        )
    }
    assert {(region.peak, round(region.mean, 5), region.area) for region in found} == expected


def test_above_is_exact() -> None:
    value = np.float32(0.1)
    for threshold in (float(value), float(np.nextafter(float(value), 0)), float(np.nextafter(float(value), 1))):
        assert above(np.array([value]), threshold).tolist() == [float(value) > threshold]
    assert above(np.array([np.nan, np.inf], np.float32), 1.0).tolist() == [False, True]


@pytest.mark.parametrize("size", [(3, 2), (9, 7), (10, 20), (13, 5), (1, 1), (100, 101)])
def test_every_cell_has_its_pixels_in_the_photograph(size: tuple[int, int]) -> None:
    width, height = size
    for row, column in np.ndindex(7, 9):
        mask = np.zeros((7, 9), bool)
        mask[row, column] = True
        large = photograph_mask(mask, size)
        assert large.shape == (height, width)
        assert large.any()
    assert photograph_mask(np.ones((7, 9), bool), size).all()
    assert not photograph_mask(np.zeros((7, 9), bool), size).any()


@pytest.mark.parametrize("size", [(3, 2), (9, 7), (10, 20), (13, 5), (1, 1), (100, 101)])
def test_pixels_of_a_box_are_those_of_the_photograph(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    mask = generator.random((7, 9)) < 0.4
    whole = photograph_mask(mask, size)
    for _ in range(20):
        left, right = sorted(generator.choice(size[0] + 1, 2, replace=False).tolist())
        top, bottom = sorted(generator.choice(size[1] + 1, 2, replace=False).tolist())
        assert (photograph_mask(mask, size, (left, top, right, bottom)) == whole[top:bottom, left:right]).all()


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_masks_of_regions_are_in_their_order(mask: np.ndarray) -> None:
    values = np.where(mask, 1 + np.random.default_rng(0).random(mask.shape), 0.5).astype(np.float32)
    height, width = mask.shape
    found = list(region_masks(values, 1.0, (width, height)))
    assert tuple(region for region, _ in found) == find_regions(values, 1.0, (width, height))
    for region, pixels in found:
        left, top, right, bottom = region.box
        assert pixels.sum() == region.area
        assert values[top:bottom, left:right][pixels].max() == np.float32(region.peak)
