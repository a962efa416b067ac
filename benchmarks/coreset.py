"""Time the coreset against the usual implementation, and run it at the size of a product's whole training set.

    python benchmarks/coreset.py --data FOLDER [--points 100000] [--count 1000] [--runs 5] [--whole]

FOLDER holds mvtec_ad/bottle. The points are what PatchCore learns from: MobileNetV2, layers [3, 8, 14], pooled, 248
numbers for each of 56 x 56 patches of the training photographs; `--points` of them are drawn with a seed. The usual
implementation keeps ``|x|^2`` and makes a matrix-vector product for each selected point; it is timed with one thread,
as flawspot's selection has, and with all of them. All must arrive at the same covering radius within 1e-4. `--whole`
selects 10,000 of all patches of 209 photographs besides.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from pathlib import Path

import numpy as np
import torch
from compiled import compile_backbone
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from flawspot.methods.patchcore.coreset import Coreset, farthest_first
from flawspot.methods.patches import join, pool
from flawspot.runtime.images import read_image
from flawspot.runtime.listing import find_images
from flawspot.runtime.prefetch import prefetch

TAPS = (3, 8, 14)


def patches_of(folder: Path) -> NDArray[np.float32]:
    """(photographs x 56 x 56, 248), as PatchCore makes them."""
    _, session = compile_backbone(TAPS)
    images = find_images(folder)
    patches = np.empty((0, 0), np.float32)
    for index, (_, image) in enumerate(prefetch(images, read_image)):
        if isinstance(image, Exception):
            raise image
        maps = [torch.from_numpy(output) for output in session.run(None, {"image": image[None]})]
        embedded = join([pool(m) for m in maps], (56, 56))[0]  # (248, 56, 56)
        rows = embedded.flatten(1).T.numpy()
        if not index:
            patches = np.empty((len(images) * len(rows), rows.shape[1]), np.float32)
        patches[index * len(rows) : (index + 1) * len(rows)] = rows
    return patches


def by_cached_norms(points: NDArray[np.float32], count: int, first: int) -> float:
    """The covering radius that the usual implementation arrives at."""
    norms = np.einsum("nd,nd->n", points, points)
    chosen, squared = first, np.full(len(points), np.inf, np.float32)
    for _ in range(count):
        np.minimum(squared, norms - 2 * (points @ points[chosen]) + norms[chosen], out=squared)
        chosen = int(squared.argmax())
    return float(np.sqrt(squared.max()))


def described(coreset: Coreset, points: int) -> str:
    """The columns on its work and its result."""
    every = len(coreset.indices) * points
    return (
        f"{coreset.distances_computed / every:.2%} | {coreset.sketches_compared / every:.2%} | {coreset.radius:.5f} |"
    )


def main() -> None:
    """Print the table; fail if the radii differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    patches = patches_of(options.data / "mvtec_ad" / "bottle" / "train" / "good")
    drawn = np.random.default_rng(0).choice(len(patches), min(options.points, len(patches)), replace=False)
    points = patches[np.sort(drawn)]

    ways = {"one thread": 1, f"{torch.get_num_threads()} threads": torch.get_num_threads()}
    usual: dict[str, list[float]] = {name: [] for name in ways}
    ours: list[float] = []
    farthest_first(points[:10_000], 10)  # compiled, or read from the cache
    for _ in range(options.runs):
        start = time.perf_counter()
        coreset = farthest_first(points, options.count)
        ours.append(time.perf_counter() - start)
        for name, threads in ways.items():
            with threadpool_limits(threads):
                start = time.perf_counter()
                radius = by_cached_norms(points, options.count, int(coreset.indices[0]))
                usual[name].append(time.perf_counter() - start)
    fast = statistics.median(ours)
    print("## Coreset\n")
    print(
        f"Farthest-first selection among patches of bottle (MobileNetV2 {list(TAPS)}, {points.shape[1]} numbers each). "
        "The baseline takes one matrix-vector product for each selected point, with norms kept. Medians of "
        f"{options.runs}, in turn. *Times faster* is flawspot's gain over that row. flawspot uses one thread, except "
        "for its sketches. Distances and sketches are in per cent of points times selected points.\n"
    )
    print("| points | selected | way | seconds | times faster | distances | sketches | radius |")
    print("|---|---|---|---|---|---|---|---|")
    size = f"| {len(points):,} | {options.count:,} |"
    for name in ways:
        slow = statistics.median(usual[name])
        print(f"{size} matrix-vector products, {name} | {slow:.2f} | {slow / fast:.1f} | 100% | | {radius:.5f} |")
    print(f"{size} flawspot | {fast:.2f} | | {described(coreset, len(points))}")
    if options.whole:
        count = 10_000
        start = time.perf_counter()
        whole = farthest_first(patches, count)
        taken = time.perf_counter() - start
        size = f"| {len(patches):,} | {count:,} |"
        print(f"{size} flawspot | {taken:.1f} | | {described(whole, len(patches))}")
        tracemalloc.start()
        farthest_first(patches, 200)  # the first selections take the most memory
        peak = tracemalloc.get_traced_memory()[1]
        print(f"\nIt takes {peak / 1e6:.0f} MB in addition to the {patches.nbytes / 1e6:.0f} MB of all patches.")
    if abs(coreset.radius - radius) > 1e-4 * radius:
        raise SystemExit(f"the covering radii differ: {coreset.radius} and {radius}")


if __name__ == "__main__":
    main()
