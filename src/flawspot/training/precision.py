"""Networks in 8-bit integers, as a part of training: the backbone before anything is learned, the student after it.

Whoever rounds a finished detector finds that its features are no longer those that it has learned: figures fall and
every good part is called anomalous. So the backbone is rounded first, on good photographs; the method is fitted on what
the rounded one computes; a student is rounded behind it; and the threshold is set with the graph that is shipped.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from flawspot.progress import SILENT, Progress
from flawspot.quantization.calibrating import calibrate
from flawspot.quantization.steps import Quantization
from flawspot.quantization.writing import in_integers
from flawspot.runtime.reduced import read_photograph
from flawspot.training.configuration import Configuration
from flawspot.training.graph import FeatureGraph, Preprocess, to_onnx
from flawspot.training.photographs import Photographs

PHOTOGRAPHS = 32
"""Good photographs that the ranges of values are taken from."""


def quantize_backbone(
    chosen: Configuration, photographs: Photographs, *, progress: Progress = SILENT
) -> Quantization | None:
    """Find the steps of the backbone on some of the photographs to learn from; None for one that stays in float."""
    if chosen.precision != "int8":
        return None
    with progress.step("rounding the backbone to 8 bits"):
        preprocess = Preprocess(chosen.input_size, chosen.mean, chosen.std)
        names = [f"tap_{place}" for place in range(len(chosen.network.taps))]
        graph = to_onnx(FeatureGraph(preprocess, chosen.network), names)
        return calibrate(onnx.load_from_string(graph), _some(chosen, photographs))


def quantize_detector(
    model: bytes, quantization: Quantization, chosen: Configuration, photographs: Photographs
) -> bytes:
    """A detector with its backbone rounded as `quantization` says, and a student, if there is one, behind it."""
    whole = calibrate(onnx.load_from_string(model), _some(chosen, photographs), known=quantization)
    return in_integers(model, whole)


def _some(chosen: Configuration, photographs: Photographs) -> list[NDArray[np.uint8]]:
    """The same photographs each time, drawn from those to learn from."""
    rows = np.random.default_rng([chosen.method.seed, PHOTOGRAPHS]).permutation(photographs.fit)[:PHOTOGRAPHS]
    return [
        read_photograph(photographs.images[row], chosen.input_size, white=photographs.white).pixels
        for row in np.sort(rows)
    ]
