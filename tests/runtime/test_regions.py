"""Connected regions against scipy."""

import numpy as np
import pytest
from scipy import ndimage

from flawspot.runtime.regions import bounding_boxes, label_regions

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
