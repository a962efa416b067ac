"""Computes everything that quantizes a network from good photographs: units, steps, and corrected biases."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
import onnx

from flawspot.quantization.correction import corrected
from flawspot.quantization.network import Network, constants, read_network
from flawspot.quantization.ranges import Photograph, Range, observe
from flawspot.quantization.steps import Quantization, Steps, Units, steps_between
from flawspot.quantization.streams import HEADROOM, channel_units
from flawspot.quantization.writing import quantized

STRENGTH = 0.75
"""Strength of channel equalisation. It balances the rounding errors of a value and of the weights that read it."""
CORRECTED_ON = 16
"""Number of photographs for bias correction."""


def calibrate(
    model: onnx.ModelProto,
    photographs: Sequence[Photograph],
    *,
    known: Quantization | None = None,
    strength: float = STRENGTH,
    wide: Collection[str] = (),
) -> Quantization:
    """Quantize every layer that is not quantized yet.

    Args:
        model: a float graph that takes ``image``.
        photographs: good ones, each (H, W, 3).
        known: parts of the quantization that are already decided, such as the teacher's when a student is added; they
            are kept.
        strength: strength of the equalisation of residual streams, 0 to 1; see `channel_units`.
        wide: keys of values that are kept in 16 bits.
    """
    network = read_network(model)
    known = known or Quantization()
    new = values_without_steps(network, known)
    if not new:
        return known
    ranges = observe(quantized(model, known), list(new.values()), photographs)
    units = channel_units(network, ranges, strength, known.units)
    limits = {layer.result: layer.high for layer in network.convolutions if layer.low == 0}
    steps = {
        key: _steps(ranges[name], units.get(key), 16 if key in wide else 8, limits.get(name, np.inf))
        for key, name in new.items()
    }
    _clip(network, steps)
    shift = known.image_shift
    key = f"{network.convolutions[0].key}.source"
    if key in new and key not in wide:
        steps[key], shift = _image_steps(model, new[key])
    found = dataclasses.replace(
        known, steps={**known.steps, **steps}, units={**known.units, **units}, image_shift=shift
    )
    return corrected(model, found, photographs[:CORRECTED_ON], known)


def values_without_steps(network: Network, known: Quantization) -> dict[str, str]:
    """{key: name} of the values that `calibrate` still has to decide."""
    return {key: name for key, name in network.values().items() if key not in known.steps}


def _steps(found: Range, units: Units | None, bits: int, limit: float) -> Steps:
    low, high = found.low, np.minimum(found.high * (HEADROOM if units is not None and limit < np.inf else 1), limit)
    if units is not None:
        low, high = (low - units.shift) / units.scale, (high - units.shift) / units.scale
    return steps_between(float(low.min()), float(high.max()), bits)


def _clip(network: Network, steps: dict[str, Steps]) -> None:
    """Let a value with a lower clip begin at exactly 0, as quantizing performs the clip."""
    for layer in network.convolutions:
        if not layer.linear and layer.low != 0 and layer.key in steps:
            del steps[layer.key]  # another clip stays in float


def _image_steps(model: onnx.ModelProto, image: str) -> tuple[Steps, float]:
    """The steps of the normalised photograph, independent of its contents: the full range of 0 to 255, and a shift that
    makes every grey level one step if the three channels are normalised alike."""
    known = constants(model)
    given = {node.output[0]: node for node in model.graph.node}
    divided = given[image]
    while divided.op_type != "Div":  # tiles are cut from it, and places that are not inspected are set to zero
        divided = given[divided.input[0]]
    subtracted = given[divided.input[0]]
    mean, std = (np.asarray(known[name], np.float64).ravel() for name in (subtracted.input[1], divided.input[1]))
    if np.ptp(mean) == 0 and np.ptp(std) == 0 and 0 < mean[0] < 255:
        zero = int(np.floor(mean[0] + 0.5))
        return Steps(float(np.float32(1 / std[0])), zero), float(np.float32((zero - mean[0]) / std[0]))
    return steps_between(float((-mean / std).min()), float(((255 - mean) / std).max())), 0.0
