"""Connected regions of a mask, in plain numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def label_regions(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Number the 8-connected regions of `mask`.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) int32 labels, 0 for background and 1 to n in the order of each region's first pixel row by row; and n.
    """
    height, width = mask.shape
    labels = np.zeros((height, width), np.int32)
    # Runs of set pixels, row by row: where the padded row rises and falls.
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    rows, begins = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]  # exclusive
    if not len(rows):
        return labels, 0
    first_of_row = np.searchsorted(rows, np.arange(height + 1))

    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    # Two runs of neighbouring rows touch, corners included, where they overlap after widening one by a pixel.
    begin_list, end_list, bounds = begins.tolist(), ends.tolist(), first_of_row.tolist()
    for row in range(1, height):
        above, stop_above = bounds[row - 1], bounds[row]
        run, stop = bounds[row], bounds[row + 1]
        while above < stop_above and run < stop:
            if end_list[above] >= begin_list[run] and end_list[run] >= begin_list[above]:
                one, other = root(above), root(run)
                # The smaller number is the root, so that a root is its region's first run.
                parent[max(one, other)] = min(one, other)
            if end_list[above] < end_list[run]:
                above += 1
            else:
                run += 1
    roots = np.array([root(run) for run in range(len(rows))])
    firsts, region = np.unique(roots, return_inverse=True)
    flat = labels.reshape(-1)
    lengths = ends - begins
    # The pixels of all runs at once: each run's first index, repeated, plus 0, 1, 2, ... within it.
    starts = rows * width + begins
    offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    flat[np.repeat(starts, lengths) + offsets] = np.repeat(region + 1, lengths)
    return labels, len(firsts)


def bounding_boxes(labels: NDArray[np.int32], count: int) -> list[tuple[int, int, int, int]]:
    """The box around each region 1 to `count`: (left, top, right, bottom) in pixels, right and bottom exclusive."""
    rows, columns = np.nonzero(labels)
    region = labels[rows, columns] - 1
    height, width = labels.shape
    left, top = np.full(count, width), np.full(count, height)
    right, bottom = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.minimum.at(left, region, columns)
    np.minimum.at(top, region, rows)
    np.maximum.at(right, region, columns + 1)
    np.maximum.at(bottom, region, rows + 1)
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in zip(left, top, right, bottom, strict=True)]
