"""Time the resize in plain operators beside ONNX's antialiased ``Resize``, and a whole detector's prediction.

    python benchmarks/resizing.py part.onnx [--threads 1] [--runs 40]

Both ways take turns on the same photographs, alone; the share is of the detector's own time for them, one at a time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import flawspot
from flawspot.runtime.session import open_session
from flawspot.runtime.view import View
from flawspot.training.resizing import DOMAIN, OPERATOR, expand

SHAPES = ((224, 224), (450, 450), (900, 900), (1200, 1600), (3000, 4000))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=40)
    options = parser.parse_args()
    detector = flawspot.load(options.artifact, threads=options.threads, device="cpu")
    size = detector.manifest.input_size
    sessions = [open_session(graph(size, plain), threads=options.threads, device="cpu") for plain in (False, True)]
    print(f"{detector.manifest.title()}; {options.threads} threads, medians of {options.runs}, milliseconds\n")
    print("| photograph | `Resize` | plain operators | whole detector | more, as a share of that | grey levels apart |")
    print("|:--|--:|--:|--:|--:|--:|")
    generator = np.random.default_rng(0)
    for height, width in SHAPES:
        photograph = generator.integers(0, 256, (1, height, width, 3)).astype(np.uint8)
        before, now = (session.run(None, {"image": photograph})[0] for session in sessions)
        runs: list[Callable[[NDArray[np.uint8]], object]] = [
            lambda image: sessions[0].run(None, {"image": image}),
            lambda image: sessions[1].run(None, {"image": image}),
            detector.run,
        ]
        old, new, whole = in_turn(runs, photograph, options.runs)
        apart = float(np.abs(before - now).max())
        share = f"{100 * (new - old) / whole:+.1f} %"
        print(f"| {height} x {width} | {old:.2f} | {new:.2f} | {whole:.2f} | {share} | {apart:.0e} |", flush=True)


def in_turn(
    runs: list[Callable[[NDArray[np.uint8]], object]], photograph: NDArray[np.uint8], count: int
) -> list[float]:
    """The median of each, in milliseconds."""
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(count):
        for run, times in zip(runs, taken, strict=True):
            started = time.perf_counter()
            run(photograph)
            times.append(1000 * (time.perf_counter() - started))
    return [statistics.median(times) for times in taken]


def graph(size: int, plain: bool) -> bytes:
    """(N, H, W, 3) uint8 -> (N, 3, S, S) float32, in plain operators, or by `Resize`."""
    if plain:
        nodes = [helper.make_node(OPERATOR, ["image"], ["resized"], domain=DOMAIN)]
        constants = []
    else:
        settings: dict[str, Any] = {"mode": "linear", "antialias": 1, "coordinate_transformation_mode": "half_pixel"}
        nodes = [
            helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 3, 1, 2]),
            helper.make_node("Cast", ["turned"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Shape", ["floats"], ["lengths"], start=0, end=2),
            helper.make_node("Concat", ["lengths", "side"], ["sizes"], axis=0),
            helper.make_node("Resize", ["floats", "", "", "sizes"], ["resized"], exclude_outside=1, **settings),
        ]
        constants = [numpy_helper.from_array(np.array([size, size], np.int64), "side")]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])
    resized = helper.make_tensor_value_info("resized", TensorProto.FLOAT, ["N", 3, size, size])
    made = helper.make_graph(nodes, "resize", [image], [resized], constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    expand(model, View(size, size))
    data: bytes = model.SerializeToString()
    return data


if __name__ == "__main__":
    main()
