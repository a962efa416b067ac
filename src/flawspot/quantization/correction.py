"""Bias correction: what rounding the weights adds to each channel on average is taken off its bias again.

Rounded weights see the same mean inputs everywhere, so their errors add up to an offset of each channel (Nagel et al.,
ICCV 2019, section 4.2, whose empirical form this is). Layers are corrected in their order, each behind corrected ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import onnx

from flawspot.quantization.network import read_network
from flawspot.quantization.ranges import Photograph, all_values
from flawspot.quantization.steps import Channels, Quantization
from flawspot.quantization.writing import quantized


def corrected(
    model: onnx.ModelProto, quantization: Quantization, photographs: Sequence[Photograph], known: Quantization
) -> Quantization:
    """Correct every convolution that has steps and no correction.

    Args:
        model: the float graph.
        quantization: with the steps of its values.
        photographs: good ones, each (H, W, 3).
        known: the part of it that was there when what is corrected was learned: a student's means are those behind the
            rounded teacher.
    """
    network = read_network(model)
    todo = [layer for layer in network.convolutions if layer.key in quantization.steps]
    todo = [layer for layer in todo if layer.key not in quantization.corrections]
    wanted = _means(quantized(model, known), [layer.nodes[0] for layer in todo], photographs)
    corrections = dict(quantization.corrections)
    for layer, want in zip(todo, wanted, strict=True):
        now = dataclasses.replace(quantization, corrections=corrections)
        got = _means(quantized(model, now), [f"{layer.result}.exact"], photographs)[0]
        units = quantization.units.get(layer.key)
        if units is not None:
            want = (want - units.shift) / units.scale
        corrections[layer.key] = want - got
    return dataclasses.replace(quantization, corrections=corrections)


def _means(model: onnx.ModelProto, names: Sequence[str], photographs: Sequence[Photograph]) -> list[Channels]:
    """The mean of each channel of each value over some photographs."""
    total = [np.zeros(()) for _ in names]
    for values in all_values(model, names, photographs):
        total = [
            so_far + value.mean(axis=(1, 2), dtype=np.float64) for so_far, value in zip(total, values, strict=True)
        ]
    return [so_far / len(photographs) for so_far in total]
