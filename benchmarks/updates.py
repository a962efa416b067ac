"""Measure the loss of updates against training anew: a third of the good photographs, then two updates by a third each.

    python benchmarks/updates.py DATA/mvtec_ad/bottle DATA/mvtec_ad/pill DATA/magnetic_tile --work FOLDER \\
        [--methods padim patchcore] [--seeds 0] [--most 300] [--megabytes 64]

Each folder is a product in the MVTec layout. Which third a photograph is in, and which are taken where a product has
more than ``--most`` good ones, is drawn by the seed. Training anew learns from all that were taken. Figures are those
of the artifacts on the test photographs, at the thresholds that are shipped; nothing is chosen by them. Seconds are
processor seconds (of all threads together), so that other work on the machine matters little.

Artifacts, states and a line of JSON for each are kept in the work folder, so that an interrupted run continues.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows, Row

import flawspot
from flawspot.data.folders import ImageFolder, open_folder
from flawspot.progress.display import DISPLAY
from flawspot.runtime.artifact import Artifact
from flawspot.runtime.state import DEFAULT_MEGABYTES, beside

SETTINGS: dict[str, dict[str, Any]] = {"patchcore": {"bank_size": 4000}, "stfpm": {"recipe": "fast"}}
INCREMENTS = 3
ANEW = "anew on all"
NEAR = 0.01
"""The most of pixel F1 and image AUROC that updates may lose."""


def main() -> None:
    """Train, update, measure what has not been measured yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=["padim", "patchcore"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--most", type=int, default=300)
    parser.add_argument("--megabytes", type=int, default=DEFAULT_MEGABYTES)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    kept = KeptRows(options.work / "updates.jsonl")
    for method in options.methods:
        for data in options.data:
            for seed in options.seeds:
                measure(open_folder(data), method, seed, options, kept)
    print_tables([row for row in kept.rows if row["seed"] in options.seeds and row["method"] in options.methods])


def measure(folder: ImageFolder, method: str, seed: int, options: argparse.Namespace, kept: KeptRows) -> None:
    """Measure one method on one product."""
    order = np.random.default_rng(seed).permutation(len(folder.train))[: options.most]
    parts = [[folder.train[row] for row in part] for part in np.array_split(order, INCREMENTS)]
    everything = [path for part in parts for path in part]
    common: dict[str, Any] = {"method": method, "settings": SETTINGS.get(method), "seed": seed, "group": "none"}
    common |= {"calibration": "split", "strict": True, "progress": DISPLAY}
    files = [options.work / f"{folder.name}-{method}-{seed}-{step}.onnx" for step in range(INCREMENTS)]
    anew = options.work / f"{folder.name}-{method}-{seed}-anew.onnx"

    def first(path: Path) -> Artifact:
        return flawspot.train(parts[0], output=path, state=options.megabytes, **common)

    def updated(step: int) -> Callable[[Path], Artifact]:
        def make(path: Path) -> Artifact:
            done = flawspot.update(
                files[step - 1], parts[step], output=path, seed=seed, group="none", strict=True, progress=DISPLAY
            )
            return done.artifact

        return make

    roads: list[tuple[str, Path, Callable[[Path], Artifact]]] = [("a third", files[0], first)]
    roads += [(f"update {step}", files[step], updated(step)) for step in range(1, INCREMENTS)]
    roads += [(ANEW, anew, lambda path: flawspot.train(everything, output=path, **common))]
    learned = [*np.cumsum([len(part) for part in parts]).tolist(), len(everything)]
    for (road, path, make), images in zip(roads, learned, strict=True):
        what = {"product": folder.name, "method": method, "seed": seed, "road": road}
        if kept.find(**what) is None:
            kept.add({**what, "images": images, **figures(folder, path, make)})


def figures(folder: ImageFolder, path: Path, make: Callable[[Path], Artifact]) -> Row:
    """Make an artifact and measure it."""
    begin, wall = time.process_time(), time.perf_counter()
    artifact = make(path)
    seconds, wall = time.process_time() - begin, time.perf_counter() - wall
    found = flawspot.evaluate(path, folder, strict=True, progress=DISPLAY).metrics
    state = beside(path)
    return {
        "pixel_f1": found.pixel_f1_max,
        "pixel_ap": found.pixel_ap,
        "image_auroc": found.image_auroc,
        "false_alarms": found.false_positives,
        "good_images": found.good_images,
        "recall": found.image_recall,
        "promised": artifact.manifest.calibration.promised_rate,
        "held_out": len(artifact.manifest.calibration.scores),
        "seconds": round(seconds, 2),
        "wall_seconds": round(wall, 2),
        "artifact_bytes": path.stat().st_size,
        "state_bytes": state.stat().st_size if state.exists() else 0,
    }


def print_tables(rows: Sequence[Row]) -> None:
    """One table of all artifacts, and one of what the last update is off from training anew."""
    print("| product | method | seed | learned | photographs | pixel F1 | image AUROC | false alarms ", end="")
    print("| seconds | artifact, MB | state, MB |")
    print("|:--|:--|--:|:--|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        print(
            f"| {row['product']} | {row['method']} | {row['seed']} | {row['road']} | {row['images']} "
            f"| {row['pixel_f1']:.3f} | {row['image_auroc']:.3f} | {row['false_alarms']} of {row['good_images']} "
            f"| {row['seconds']:.1f} | {row['artifact_bytes'] / 1e6:.1f} | {row['state_bytes'] / 1e6:.1f} |"
        )
    print("\n| product | method | seed | pixel F1 | image AUROC | within .01 |\n|:--|:--|--:|--:|--:|:--|")
    found = {(row["product"], row["method"], row["seed"], row["road"]): row for row in rows}
    for (product, method, seed, road), anew in found.items():
        last = found.get((product, method, seed, f"update {INCREMENTS - 1}"))
        if road == ANEW and last is not None:
            off = [last[name] - anew[name] for name in ("pixel_f1", "image_auroc")]
            near = "yes" if min(off) >= -NEAR else "no"
            print(f"| {product} | {method} | {seed} | {off[0]:+.3f} | {off[1]:+.3f} | {near} |")


if __name__ == "__main__":
    main()
