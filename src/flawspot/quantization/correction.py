"""Bias correction: subtracts from each bias the mean error that rounding the weights causes in its channel.

Rounded weights see the same mean inputs everywhere, so their errors add up to an offset in each channel (Nagel et al.,
ICCV 2019, section 4.2, in its empirical form). Layers are corrected in order, each after the corrected ones before it.
Their outputs are stored as 8-bit integers, so every layer runs only twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from flawspot.quantization.network import Convolution, Network, read_network
from flawspot.quantization.ranges import Photograph, all_values
from flawspot.quantization.steps import Channels, Quantization
from flawspot.quantization.writing import quantized
from flawspot.runtime.session import open_session

Values = list[NDArray[np.generic]]
"""A value for each photograph."""
_TYPES = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.uint16): TensorProto.UINT16}


def corrected(
    model: onnx.ModelProto, quantization: Quantization, photographs: Sequence[Photograph], known: Quantization
) -> Quantization:
    """Correct every convolution that has steps but no correction.

    Args:
        model: the float graph.
        quantization: with the steps of its values.
        photographs: good ones, each (H, W, 3).
        known: the quantization that existed when the corrected network was learned. For a student, the reference means
            are those behind the quantized teacher.
    """
    network = read_network(model)
    layers = [layer for layer in network.layers if layer.key in quantization.steps]
    todo = [layer for layer in layers if isinstance(layer, Convolution) and layer.key not in quantization.corrections]
    if not todo:
        return quantization
    wanted = _means(quantized(model, known), [layer.nodes[0] for layer in todo], photographs)
    rounded = _Rounded(quantized(model, quantization), network, photographs)
    corrections = dict(quantization.corrections)
    for layer, want in zip(todo, wanted, strict=True):
        units = quantization.units.get(layer.key)
        if units is not None:
            want = (want - units.shift) / units.scale
        got = rounded.mean(f"{layer.result}.exact")
        corrections[layer.key] = want - got
        rounded.shift_bias(layer, want - got)
        rounded.keep(f"{layer.result}.stored")
    return dataclasses.replace(quantization, corrections=corrections)


def _means(model: onnx.ModelProto, names: Sequence[str], photographs: Sequence[Photograph]) -> list[Channels]:
    """The mean of each channel of each value over some photographs."""
    total: list[Channels] = [np.zeros(()) for _ in names]
    for values in all_values(model, names, photographs):
        means = (value.mean(axis=(1, 2), dtype=np.float64) for value in values)
        total = [so_far + mean for so_far, mean in zip(total, means, strict=True)]
    return [so_far / len(photographs) for so_far in total]


class _Rounded:
    """A quantized graph, run piece by piece on some photographs."""

    def __init__(self, model: onnx.ModelProto, network: Network, photographs: Sequence[Photograph]) -> None:
        self.model = model
        self.given = {output: node for node in model.graph.node for output in node.output}
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.kept: dict[str, Values] = {"image": [photograph[None] for photograph in photographs]}
        self.keep(f"{network.convolutions[0].source}.stored")

    def mean(self, name: str) -> Channels:
        """(C,) mean of a value (1, C, H, W) over all photographs."""
        means = [value.mean(axis=(0, 2, 3), dtype=np.float64) for value in self._run(name)]
        mean: Channels = np.mean(means, axis=0)
        return mean

    def keep(self, name: str) -> None:
        """Compute a value and store it, so that later values are computed from it."""
        self.kept[name] = self._run(name)

    def shift_bias(self, layer: Convolution, shift: Channels) -> None:
        """Add to the bias of a convolution."""
        stored, step = f"{layer.result}.bias.stored", f"{layer.result}.bias.step"
        steps = np.rint(shift / numpy_helper.to_array(self.constants[step]).astype(np.float64))
        limits = np.iinfo(np.int32)
        total = np.clip(numpy_helper.to_array(self.constants[stored]) + steps, limits.min, limits.max)
        self.constants[stored] = numpy_helper.from_array(total.astype(np.int32), stored)

    def _run(self, name: str) -> Values:
        """A value for each photograph, computed from stored ones."""
        nodes, inputs, held = self._behind(name)
        kind = TensorProto.FLOAT if not name.endswith(".stored") else _stored_type(self.given[name], self.constants)
        graph = helper.make_graph(
            nodes,
            "piece",
            [helper.make_tensor_value_info(taken, self._type(taken), None) for taken in inputs],
            [helper.make_tensor_value_info(name, kind, None)],
            [self.constants[constant] for constant in held],
        )
        piece = helper.make_model(graph, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)
        session = open_session(piece.SerializeToString(), device="cpu")
        return [
            session.run([name], dict(zip(inputs, values, strict=True)))[0]
            for values in zip(*(self.kept[taken] for taken in inputs), strict=True)
        ]

    def _behind(self, name: str) -> tuple[list[onnx.NodeProto], list[str], list[str]]:
        """The nodes between the stored values and a value, in order; their inputs; and their constants."""
        wanted, seen = [name], {""}
        inputs, held, chosen = [], [], set()
        while wanted:
            value = wanted.pop()
            if value in seen:
                continue
            seen.add(value)
            if value in self.kept:
                inputs.append(value)
            elif value in self.constants:
                held.append(value)
            else:
                chosen.add(self.given[value].output[0])
                wanted.extend(self.given[value].input)
        return [node for node in self.model.graph.node if node.output[0] in chosen], sorted(inputs), sorted(held)

    def _type(self, name: str) -> int:
        return _TYPES[self.kept[name][0].dtype]


def _stored_type(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> int:
    """The type of a quantizing node's output, which is that of its zero."""
    return int(constants[node.input[2]].data_type)
