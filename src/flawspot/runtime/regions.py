"""Anomalous regions: where a map is above its threshold, with size and values of each, in plain numpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels, right and bottom exclusive."""


@dataclass(frozen=True)
class Region:
    """One connected anomalous region of a photograph.

        >>> region = detector.predict("new.png").regions[0]
        >>> region.box
        (10, 20, 25, 30)

    Attributes:
        box: around it, (left, top, right, bottom) in pixels of the photograph, right and bottom exclusive.
        area: in pixels of the photograph: the region's share of the map, rounded, at least 1. `Prediction.to_coco`
            counts the pixels of the enlarged region instead. These may be some thousandths more or fewer, as a cell of
            the map need not be a whole number of pixels.
        peak: the largest value of the map in it, on the scale of `Prediction.score`.
        mean: the mean value of the map in it.
    """

    box: Box
    area: int
    peak: float
    mean: float


def above(values: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Where `values` are above `threshold`, compared as ``float(value) > threshold``.

    In float32 the threshold would be rounded first, and a map could contradict the verdict on its own maximum.
    """
    return np.asarray(values.astype(np.float64) > threshold)


def find_regions(anomaly_map: NDArray[np.float32], threshold: float, image_size: tuple[int, int]) -> tuple[Region, ...]:
    """The regions above `threshold`, highest peak first.

    Args:
        anomaly_map: (H, W) float32, over the whole photograph.
        threshold: the largest value that is not yet anomalous.
        image_size: (width, height) of the photograph in pixels.
    """
    labels, _ = label_regions(above(anomaly_map, threshold))
    return tuple(region for region, _ in _regions(anomaly_map, labels, image_size))


def _regions(
    anomaly_map: NDArray[np.float32], labels: NDArray[np.int32], image_size: tuple[int, int]
) -> list[tuple[Region, int]]:
    """Each region and its label, highest peak first."""
    count = int(labels.max(initial=0))
    if not count:
        return []
    width, height = image_size
    rows, columns = anomaly_map.shape
    peaks = np.full(count + 1, -np.inf, np.float32)
    np.maximum.at(peaks, labels.ravel(), anomaly_map.ravel())
    cells = np.bincount(labels.ravel(), minlength=count + 1)
    sums = np.bincount(labels.ravel(), np.where(labels > 0, anomaly_map, 0).ravel(), minlength=count + 1)
    boxes = bounding_boxes(labels, count)
    found = []
    for number in (np.argsort(-peaks[1:], kind="stable") + 1).tolist():
        left, top, right, bottom = boxes[number - 1]
        # Integers, rounded outwards, as a float may round past the photograph's edge.
        box = (
            left * width // columns,
            top * height // rows,
            -(-right * width // columns),
            -(-bottom * height // rows),
        )
        area = max(round(int(cells[number]) * width * height / (columns * rows)), 1)
        found.append((Region(box, area, float(peaks[number]), float(sums[number] / cells[number])), number))
    return found


def photograph_mask(
    mask: NDArray[np.bool_], image_size: tuple[int, int], within: Box | None = None
) -> NDArray[np.bool_]:
    """Convert `mask` (H, W) of the map to pixels of the photograph, (height, width).

    A pixel has the value of its cell. If the photograph is smaller than the map, it has the value of any of its cells.

    Args:
        mask: over the whole photograph.
        image_size: (width, height) of the photograph in pixels.
        within: a non-empty box to which the result is limited; None: no limit.
    """
    left, top, right, bottom = within or (0, 0, *image_size)
    for axis, (begin, end, length) in enumerate(((top, bottom, image_size[1]), (left, right, image_size[0]))):
        cells = mask.shape[axis]
        first_cells = np.arange(begin, end) * cells // length
        stop = max(end * cells // length, int(first_cells[-1]) + 1)  # end of the last pixel's cells
        mask = np.logical_or.reduceat(mask[:stop] if axis == 0 else mask[:, :stop], first_cells, axis=axis)
    return mask


def region_masks(
    anomaly_map: NDArray[np.float32], threshold: float, image_size: tuple[int, int]
) -> Iterator[tuple[Region, NDArray[np.bool_]]]:
    """Each region of `find_regions`, in the same order, with its pixels: (height, width) of its box.

    Args:
        anomaly_map, threshold, image_size: as for `find_regions`.
    """
    labels, _ = label_regions(above(anomaly_map, threshold))
    for region, number in _regions(anomaly_map, labels, image_size):
        yield region, photograph_mask(labels == number, image_size, region.box)


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

    # Runs in neighbouring rows touch, corners included, if they overlap after widening one by a pixel.
    begin_list, end_list, bounds = begins.tolist(), ends.tolist(), first_of_row.tolist()
    for row in range(1, height):
        above, stop_above = bounds[row - 1], bounds[row]
        run, stop = bounds[row], bounds[row + 1]
        while above < stop_above and run < stop:
            if end_list[above] >= begin_list[run] and end_list[run] >= begin_list[above]:
                one, other = root(above), root(run)
                # The smaller number is the root, so a root is its region's first run.
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


def bounding_boxes(labels: NDArray[np.int32], count: int) -> list[Box]:
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
