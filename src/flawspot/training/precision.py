"""Rounds networks to 8-bit integers during training: the backbone before learning, the student after it.

If a finished detector were rounded, its features would no longer be those that it has learned: figures would fall, and
every good part would be called anomalous. So the backbone is rounded first, on good photographs. The method is fitted
on the rounded backbone's features. Then a student is rounded. The threshold is set with the shipped graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from flawspot.errors import TrainingError
from flawspot.progress import SILENT, Progress
from flawspot.quantization.calibrating import calibrate, values_without_steps
from flawspot.quantization.network import read_network
from flawspot.quantization.steps import Quantization
from flawspot.quantization.writing import in_integers
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.session import open_session
from flawspot.training.configuration import Configuration
from flawspot.training.graph import FeatureGraph, Preprocess, to_onnx
from flawspot.training.photographs import Photographs
from flawspot.training.varying import varying_of

PHOTOGRAPHS = 64
"""Number of good photographs for measuring the ranges of values."""
COMPARED = 8
"""Number of these on which the rounded backbone is compared with the exact one."""
MOST_ERROR = 0.1
"""Largest error of a tap, as a share of its variance. MobileNetV2, MCUNet and EfficientNet-Lite0 have 0.006 to
0.025."""


def quantize_backbone(chosen: Configuration, photographs: Photographs, *, progress: Progress = SILENT) -> Quantization:
    """Find the steps of the backbone on some of the training photographs."""
    with progress.step("rounding the backbone to 8 bits"):
        preprocess = Preprocess(chosen.view, chosen.mean, chosen.std)
        names = [f"tap_{place}" for place in range(len(chosen.network.taps))]
        graph = to_onnx(FeatureGraph(preprocess, chosen.network), names)
        some = _some(chosen, photographs)
        found = calibrate(onnx.load_from_string(graph), some)
        errors = dict(zip(chosen.network.taps, _errors(graph, in_integers(graph, found), names, some), strict=True))
        layer, worst = max(errors.items(), key=lambda item: item[1])
        if not worst <= MOST_ERROR:
            raise TrainingError(
                f"{chosen.network.name} cannot be rounded to 8 bits: layer {layer} changes by {100 * worst:.0f} % of "
                f"what it varies by on good photographs (at most {100 * MOST_ERROR:.0f} %): train it in float32"
            )
        return found


def quantize_detector(
    model: bytes, quantization: Quantization, chosen: Configuration, photographs: Photographs
) -> bytes:
    """A detector with its backbone rounded by `quantization`, and with its student rounded, if there is one."""
    graph = onnx.load_from_string(model)
    if values_without_steps(read_network(graph), quantization):
        quantization = calibrate(graph, _some(chosen, photographs), known=quantization)
    return in_integers(model, quantization)


def _errors(
    graph: bytes, rounded: bytes, names: Sequence[str], photographs: Sequence[NDArray[np.uint8]]
) -> list[float]:
    """For each output: the mean squared error of a channel as a share of its variance, averaged over the channels."""
    exact, ours = open_session(graph), open_session(rounded)
    found: list[list[NDArray[np.float64]]] = []
    for photograph in photographs[:COMPARED]:
        feed = {"image": photograph[None]}
        pairs = zip(exact.run(names, feed), ours.run(names, feed), strict=True)
        found.append([_moments(want, got) for want, got in pairs])
    errors = []
    for moments in zip(*found, strict=True):
        mean, square, error = np.mean(moments, axis=0)
        errors.append(float(np.mean(error / np.maximum(square - mean**2, 1e-12))))
    return errors


def _moments(want: NDArray[np.float32], got: NDArray[np.float32]) -> NDArray[np.float64]:
    """(T, C, H, W) twice -> (3, C): mean, mean square and mean squared error of each channel."""
    axes = (0, 2, 3)
    difference = want.astype(np.float64) - got
    return np.stack(
        [want.mean(axes, np.float64), np.square(want, dtype=np.float64).mean(axes), (difference**2).mean(axes)]
    )


def _some(chosen: Configuration, photographs: Photographs) -> list[NDArray[np.uint8]]:
    """A fixed random sample of the training photographs."""
    rows = np.random.default_rng([chosen.method.seed, PHOTOGRAPHS]).permutation(photographs.fit)[:PHOTOGRAPHS]
    found = [
        read_photograph(photographs.images[row], chosen.view, white=photographs.white).pixels for row in np.sort(rows)
    ]
    varying = varying_of(chosen, photographs)
    if varying is None:
        return found
    # Tolerated variations have their own range of values. So every second photograph is varied up to the tolerance.
    return [
        varying.read(photographs.images[row], varying.farthest).pixels if place % 2 else pixels
        for place, (row, pixels) in enumerate(zip(np.sort(rows), found, strict=True))
    ]
