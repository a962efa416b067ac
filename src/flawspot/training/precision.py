"""Networks in 8-bit integers, as a part of training: the backbone before anything is learned, the student after it.

Whoever rounds a finished detector finds that its features are no longer those that it has learned: figures fall and
every good part is called anomalous. So the backbone is rounded first, on good photographs; the method is fitted on what
the rounded one computes; a student is rounded behind it; and the threshold is set with the graph that is shipped.
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
"""Good photographs that the ranges of values are taken from."""
COMPARED = 8
"""Of them, those on which the rounded backbone is compared with the exact one."""
MOST_ERROR = 0.1
"""Of a tap, as a share of its variance. MobileNetV2, MCUNet and EfficientNet-Lite0 have 0.006 to 0.025."""


def quantize_backbone(chosen: Configuration, photographs: Photographs, *, progress: Progress = SILENT) -> Quantization:
    """Find the steps of the backbone on some of the photographs to learn from."""
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
    """A detector with its backbone rounded as `quantization` says, and a student, if there is one, behind it."""
    graph = onnx.load_from_string(model)
    if values_without_steps(read_network(graph), quantization):
        quantization = calibrate(graph, _some(chosen, photographs), known=quantization)
    return in_integers(model, quantization)


def _errors(
    graph: bytes, rounded: bytes, names: Sequence[str], photographs: Sequence[NDArray[np.uint8]]
) -> list[float]:
    """Of each output: the mean squared error of a channel as a share of its variance, averaged over the channels."""
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
    """The same photographs each time, drawn from those to learn from."""
    rows = np.random.default_rng([chosen.method.seed, PHOTOGRAPHS]).permutation(photographs.fit)[:PHOTOGRAPHS]
    found = [
        read_photograph(photographs.images[row], chosen.view, white=photographs.white).pixels for row in np.sort(rows)
    ]
    varying = varying_of(chosen, photographs)
    if varying is None:
        return found
    # What is to be tolerated has its own range of values: every second one is as bright and as noisy as it may be.
    return [
        varying.read(photographs.images[row], varying.farthest).pixels if place % 2 else pixels
        for place, (row, pixels) in enumerate(zip(np.sort(rows), found, strict=True))
    ]
