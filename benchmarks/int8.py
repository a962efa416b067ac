"""Time detectors of float32 and of int8, photograph by photograph, on one thread.

    python benchmarks/int8.py --data FOLDER [--rounds 40]

FOLDER holds mvtec_ad/bottle. PaSTe and PaDiM are trained for a moment (one epoch, which changes no time) on MobileNetV2
at 224 and on MCUNet-in3 at 176 where its weights are at hand; the two precisions take turns on a decoded photograph of
that size. Milliseconds are medians; they are of this machine's processor, which is named.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from PIL import Image

import flawspot
from flawspot.backbones.registry import family
from flawspot.backbones.weights import find
from flawspot.benchmark.machine import machine
from flawspot.runtime.artifact import Artifact
from flawspot.runtime.images import read_image
from flawspot.runtime.integers import exact_in_integers
from flawspot.runtime.listing import find_images
from flawspot.runtime.session import open_session

BACKBONES = {"mobilenet_v2": 224, "mcunet_in3": 176}
METHODS: dict[str, dict[str, int]] = {"paste": {"epochs": 1}, "padim": {}}
PRECISIONS = ("float32", "int8")


def trained(product: Path, method: str, backbone: str, precision: str) -> Artifact:
    """A detector that has hardly learned."""
    return flawspot.train(
        product,
        method=method,
        settings=dict(METHODS[method]),
        backbone=backbone,
        input_size=BACKBONES[backbone],
        precision=precision,
        calibration="split",
        progress=False,
    )


def milliseconds(artifacts: dict[str, Artifact], photograph: Path, size: int, rounds: int) -> dict[str, float]:
    """Of one photograph, the precisions in turn."""
    image = Image.fromarray(read_image(photograph)).resize((size, size), Image.Resampling.BILINEAR)
    feed = {"image": np.array(image)[None]}
    sessions = {name: open_session(artifact.model, threads=1, device="cpu") for name, artifact in artifacts.items()}
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    for turn in range(rounds + 3):
        for name, session in sessions.items():
            begin = time.perf_counter()
            session.run(["score"], feed)
            if turn >= 3:
                taken[name].append(time.perf_counter() - begin)
    return {name: 1000 * statistics.median(seconds) for name, seconds in taken.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    product = options.data / "mvtec_ad" / "bottle"
    photograph = find_images(product / "test")[0]
    how = "integers" if exact_in_integers() else "float, for it cuts off their products"
    print("## int8\n")
    print(f"One thread of {machine()['processor']}, which computes int8 in {how}; milliseconds, medians.\n")
    print("| detector | float32 | int8 | float32 / int8 | MiB float32 | MiB int8 |\n|:--|--:|--:|--:|--:|--:|")
    for backbone, size in BACKBONES.items():
        if find(backbone, family(backbone).weights) is None:
            continue
        for method in METHODS:
            made = {precision: trained(product, method, backbone, precision) for precision in PRECISIONS}
            taken = milliseconds(made, photograph, size, options.rounds)
            sizes = [len(made[precision].model) / 2**20 for precision in PRECISIONS]
            exact, rounded = (taken[precision] for precision in PRECISIONS)
            cells = f"{exact:.2f} | {rounded:.2f} | {exact / rounded:.2f} | {sizes[0]:.2f} | {sizes[1]:.2f}"
            print(f"| {method}, {backbone} {size} | {cells} |")


if __name__ == "__main__":
    main()
