"""Time the pixel-level figures against scikit-learn's three calls and a sort-based AUPRO, and print a table.

    python benchmarks/metrics.py [--maps 583] [--size 224] [--runs 3]

Both sides get the same seeded maps and masks and start from nothing but these, in one process, turn by turn. The
figures must agree within 1e-9. Memory is the peak that numpy reports to tracemalloc beyond maps and masks, in a run by
itself, since tracing takes time; the pages of streaming's temporary file are the system's cache and do not count.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from flawspot.metrics import AUPRO_LIMIT, Curves, PixelScores, rank_pixels
from flawspot.runtime.regions import label_regions

Maps = NDArray[np.float32]
Masks = NDArray[np.bool_]
Figures = tuple[float, float, float, float]


def make_set(count: int, size: int) -> tuple[Maps, Masks]:
    """Smooth noise, and brighter blobs about where the masks of three in four images have their defects."""
    generator = np.random.default_rng(0)
    maps, masks = np.empty((count, size, size), np.float32), np.zeros((count, size, size), np.bool_)
    rows, columns = np.ogrid[:size, :size]
    for index in range(count):
        noise = ndimage.gaussian_filter(generator.normal(size=(size, size)).astype(np.float32), size / 56)
        maps[index] = np.abs(noise / noise.std()) + generator.normal(0, 0.01, (size, size))
        for _ in range(generator.integers(1, 4) if index % 4 else 0):
            row, column = generator.integers(0, size, 2)
            height, width = generator.uniform(size / 40, size / 8, 2)
            distance = ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2
            masks[index] |= distance < 1
            # The detector's blob is blurred and a little beside the defect.
            shift = generator.integers(-size // 40, size // 40 + 1, 2)
            maps[index] += generator.uniform(1, 4) * np.exp(-np.roll(distance, shift, (0, 1)) / 1.5).astype(np.float32)
    return maps, masks


def sorting_aupro(maps: Maps, masks: Masks) -> float:
    """AUPRO from one sort of all pixels, as it is commonly written."""
    weights = np.zeros(masks.shape)
    regions = 0
    for weight, mask in zip(weights, masks, strict=True):
        labels, count = label_regions(mask)
        if count:
            region = labels[mask]
            weight[mask] = 1 / np.bincount(region)[region]
            regions += count
    order = np.argsort(maps, axis=None)[::-1]
    ranked = maps.reshape(-1)[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    overlap = np.concatenate([[0.0], np.cumsum(weights.reshape(-1)[order])[ends] / regions])
    good = ~masks.reshape(-1)
    rate = np.concatenate([[0.0], np.cumsum(good[order])[ends] / good.sum()])
    inside = rate <= AUPRO_LIMIT
    height = np.append(overlap[inside], np.interp(AUPRO_LIMIT, rate, overlap))
    return float(np.sum(np.diff(np.append(rate[inside], AUPRO_LIMIT)) * (height[1:] + height[:-1]) / 2))


def by_scikit_learn(maps: Maps, masks: Masks) -> Figures:
    """Three calls, each with a sort of its own, and AUPRO."""
    scores, labels = maps.reshape(-1), masks.reshape(-1)
    auroc = float(roc_auc_score(labels, scores))
    average_precision = float(average_precision_score(labels, scores))
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1_max = float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300)))
    return auroc, average_precision, f1_max, sorting_aupro(maps, masks)


def figures(curves: Curves) -> Figures:
    """The four that are compared; all are defined for a set with both kinds of pixels."""
    found = (curves.auroc, curves.average_precision, curves.f1_max, curves.aupro)
    return tuple(float("nan") if figure is None else figure for figure in found)  # type: ignore[return-value]


def by_flawspot(maps: Maps, masks: Masks) -> Figures:
    """One sort, in memory."""
    return figures(rank_pixels(maps, masks))


def by_flawspot_streaming(maps: Maps, masks: Masks) -> Figures:
    """Image by image, with buffers for a fifth of the pixels, the rest in a temporary file."""
    with PixelScores(maps.size // 5, maps.size // 100) as pixels:
        for one_map, one_mask in zip(maps, masks, strict=True):
            pixels.add(one_map, one_mask)
        return figures(pixels.curves())


def peak_bytes(way: Callable[[Maps, Masks], Figures], maps: Maps, masks: Masks) -> int:
    """What `way` allocates at most beyond what is there already."""
    tracemalloc.start()
    try:
        way(maps, masks)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def main() -> None:
    """Print the table; fail if the figures differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=583)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    maps, masks = make_set(options.maps, options.size)
    ways = {
        "scikit-learn, three calls, and a sort for AUPRO": by_scikit_learn,
        "flawspot": by_flawspot,
        "flawspot, streaming": by_flawspot_streaming,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, Figures] = {}
    for _ in range(options.runs):
        for name, way in ways.items():
            start = time.perf_counter()
            found[name] = way(maps, masks)
            seconds[name].append(time.perf_counter() - start)
    reference = next(iter(ways))
    slowest = statistics.median(seconds[reference])
    print("## Metrics\n")
    print(
        f"{options.maps} maps of {options.size} × {options.size} with {masks.mean():.1%} defective pixels; "
        f"median of {options.runs}; numpy {np.__version__}.\n"
    )
    print("| way | seconds | times faster | extra bytes per pixel | AUROC | AP | F1-max | AUPRO | difference |")
    print("|---|---|---|---|---|---|---|---|---|")
    worst = 0.0
    for name, way in ways.items():
        median = statistics.median(seconds[name])
        memory = peak_bytes(way, maps, masks) / maps.size
        difference = float(np.max(np.abs(np.subtract(found[name], found[reference]))))
        worst = max(worst, difference)
        values = " | ".join(f"{figure:.4f}" for figure in found[name])
        print(f"| {name} | {median:.2f} | {slowest / median:.1f} | {memory:.1f} | {values} | {difference:.0e} |")
    if not worst <= 1e-9:
        raise SystemExit(f"the figures differ by {worst}")


if __name__ == "__main__":
    main()
