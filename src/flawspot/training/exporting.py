"""Writes a fitted detector as the shipped graph, and compares the graph with its torch module."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from flawspot.errors import ArtifactError, TrainingError
from flawspot.quantization.steps import Quantization
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.onnx_checks import check_model
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.seen import INSIDE, value_of
from flawspot.runtime.session import open_session
from flawspot.training.configuration import Configuration
from flawspot.training.graph import DetectorGraph, Preprocess, WatchedDetectorGraph, to_onnx
from flawspot.training.photographs import Photographs
from flawspot.training.precision import quantize_detector

AGREEMENT = 1e-3
"""Largest difference between the exported graph and its torch module, relative to the largest value."""


def export_detector(
    chosen: Configuration, photographs: Photographs, quantization: Quantization | None, *, watched: bool = False
) -> bytes:
    """The graph from photograph to score.

    Args:
        chosen: the configuration with a fitted method.
        photographs: the photographs that it was fitted on.
        quantization: quantization of the backbone that gave the features; None for a backbone in float.
        watched: name the inputs of the head, so that an update finds them.

    Raises:
        TrainingError: the graph computes something else than its torch module, or cannot be shipped.
    """
    preprocess = Preprocess(chosen.view, chosen.mean, chosen.std)
    graph = DetectorGraph(preprocess, chosen.network, chosen.method.head(), chosen.at_once)
    if watched:
        graph = WatchedDetectorGraph(preprocess, chosen.network, chosen.method.head())
    model = to_onnx(graph, OUTPUTS, hidden_names(chosen) if watched else ())
    image = (photographs.held_out() or photographs.images)[0]
    photograph = read_photograph(image, chosen.view, white=photographs.white).pixels
    _verify(graph, model, photograph)
    if quantization is not None:
        model = quantize_detector(model, quantization, chosen, photographs)
        _check_finite(model, photograph)
    try:
        check_model(model)
    except ArtifactError as error:
        raise TrainingError(f"the head of {chosen.method.name} cannot be shipped: {error}") from None
    return model


def hidden_names(chosen: Configuration) -> list[str]:
    """Names of the head's inputs: the layers' maps, and the inspected pixels unless all are inspected."""
    fixed = chosen.view.fit == "squash" and chosen.view.inside((1, 1)) is None
    whole = fixed or (chosen.view.fit == "crop" and chosen.view.inspected is None)
    return [*map(value_of, chosen.network.taps), *([] if whole else [INSIDE])]


def _verify(graph: DetectorGraph, model: bytes, photograph: NDArray[np.uint8]) -> None:
    """Compare the exported graph with its torch module on one photograph."""
    # Upside down, because PatchCore's distances to patches that it has learned are only rounding errors.
    pixels = np.ascontiguousarray(photograph[None, ::-1])
    with torch.no_grad():
        expected = [output.numpy() for output in graph(torch.from_numpy(pixels))[: len(OUTPUTS)]]
    for name, want, got in zip(OUTPUTS, expected, open_session(model).run(OUTPUTS, {"image": pixels}), strict=True):
        if not np.isfinite(got).all():
            raise TrainingError(f"the {name} of a good photograph is not finite: training failed, try another seed")
        scale = max(float(np.abs(want).max()), 1e-12)
        if float(np.abs(want - got).max()) > AGREEMENT * scale:
            raise TrainingError(f"the exported graph disagrees with its torch module in {name}: please report this")


def _check_finite(model: bytes, photograph: NDArray[np.uint8]) -> None:
    for name, got in zip(OUTPUTS, open_session(model).run(OUTPUTS, {"image": photograph[None]}), strict=True):
        if not np.isfinite(got).all():
            raise TrainingError(f"the {name} of a good photograph is not finite in int8: train in float32")
