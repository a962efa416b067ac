"""Writes a float graph with its network in integers, in ONNX's form: every value is quantized and dequantized (QDQ).

ONNX Runtime fuses each convolution with the dequantizing before it and the quantizing after it into an integer
convolution. It does so for unsigned values with signed weights that are symmetric for each output channel, as written
here. A clip needs no operator: quantizing saturates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from flawspot.quantization.network import Addition, Convolution, Layer, Network, read_network, sources_of
from flawspot.quantization.steps import Quantization, Steps, Units, quantized_bias, quantized_weights
from flawspot.quantization.streams import absorbed

OPSET = 21
"""The first opset that quantizes to 16 bits."""
Numbers = NDArray[np.generic]
_UNSIGNED = {8: np.uint8, 16: np.uint16}


def quantized(model: onnx.ModelProto, quantization: Quantization) -> onnx.ModelProto:
    """Convert every layer whose steps are in `quantization` to integers; the others stay in float.

    The names of values read by float operators, and of the graph's outputs, are kept.
    """
    return _Writer(read_network(model), quantization).written()


def in_integers(model: bytes, quantization: Quantization) -> bytes:
    """Apply `quantized` to the bytes of a model."""
    data: bytes = quantized(onnx.load_from_string(model), quantization).SerializeToString(deterministic=True)
    return data


class _Writer:
    """Nodes and constants of the new graph, while it is written."""

    def __init__(self, network: Network, quantization: Quantization) -> None:
        self.network, self.quantization = network, quantization
        self.keys = {name: key for key, name in network.values().items()}
        self.layers = [layer for layer in network.layers if self._known(layer)]
        """The layers that become integers."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.dequantized: dict[str, str] = {}
        """For each quantized value, the name of its dequantized form, in its own units."""

    def written(self) -> onnx.ModelProto:
        """The new graph."""
        model = self.network.model
        replaced = {node: layer for layer in self.layers for node in layer.nodes}
        for node in model.graph.node:
            layer = replaced.get(node.output[0])
            if layer is None:
                self.nodes.append(node)
            elif node.output[0] == layer.nodes[-1]:
                self._layer(layer)
        new = onnx.ModelProto()
        new.CopyFrom(model)
        del new.graph.node[:], new.graph.initializer[:]
        new.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        new.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in used)
        new.graph.initializer.extend(self.constants.values())
        for opset in new.opset_import:
            opset.version = max(opset.version, OPSET)
        return new

    def _known(self, layer: Layer) -> bool:
        return all(self.keys[name] in self.quantization.steps for name in (*sources_of(layer), layer.result))

    def _layer(self, layer: Layer) -> None:
        result = f"{layer.result}.exact"
        if isinstance(layer, Addition):
            self._check_units(layer)
            self._add("Add", [self._source(name) for name in layer.sources], result)
        else:
            self._convolution(layer, result)
        self._quantize(layer.result, result)

    def _convolution(self, layer: Convolution, result: str) -> None:
        source = self._source(layer.source)
        weights, bias = absorbed(layer, self._units(layer.source), self._units(layer.result))
        if layer.source == self._image():
            bias = bias + weights.sum(axis=(1, 2, 3)) * self.quantization.image_shift
        bias = bias + self.quantization.corrections.get(layer.key, 0.0)
        source_scale = self._steps(layer.source).scale
        whole, scale = quantized_weights(weights, bias, source_scale)
        bias_scale = (scale.astype(np.float64) * source_scale).astype(np.float32)
        taken = [source]
        parts: list[tuple[str, Numbers, Numbers]] = [
            ("weights", whole, scale),
            ("bias", quantized_bias(bias, bias_scale), bias_scale),
        ]
        for name, numbers, steps in parts:
            place = f"{layer.result}.{name}"
            self._add(
                "DequantizeLinear",
                self._constant((f"{place}.stored", numbers), (f"{place}.step", steps)),
                place,
                axis=0,
            )
            taken.append(place)
        self._add("Conv", taken, result, **layer.attributes)

    def _check_units(self, layer: Addition) -> None:
        """Check the units of summands, which must be equal."""
        first, second, result = (
            self._units(name) or Units(np.ones(1), np.zeros(1)) for name in (*layer.sources, layer.result)
        )
        same = np.array_equal(first.scale, result.scale) and np.array_equal(second.scale, result.scale)
        if not (same and np.array_equal(first.shift + second.shift, result.shift)):
            raise ValueError(f"the summands of {layer.key} have units that their sum has not")

    def _source(self, name: str) -> str:
        """The dequantized form of a value. It is quantized here if no layer has done so."""
        if name not in self.dequantized:
            shifted, shift = name, self.quantization.image_shift
            if name == self._image() and shift:
                shifted = f"{name}.shifted"
                self._add("Sub", [name, *self._constant((f"{name}.shift", np.asarray(shift, np.float32)))], shifted)
            self._quantize(name, shifted, restored=False)
        return self.dequantized[name]

    def _quantize(self, name: str, exact: str, *, restored: bool = True) -> None:
        """Quantize and dequantize a value, and provide it in units of 1 to float operators."""
        steps = self._steps(name)
        step, zero = np.asarray(steps.scale, np.float32), np.asarray(steps.zero, _UNSIGNED[steps.bits])
        parameters = self._constant((f"{name}.step", step), (f"{name}.zero", zero))
        stored, units = f"{name}.stored", self._units(name)
        outside = restored and not self.network.taken_inside(name, self.layers)
        self.dequantized[name] = name if outside and units is None else f"{name}.kept"
        self._add("QuantizeLinear", [exact, *parameters], stored)
        self._add("DequantizeLinear", [stored, *parameters], self.dequantized[name])
        if outside and units is not None:
            shape = (1, -1, 1, 1)
            scale = self._constant((f"{name}.unit", units.scale.astype(np.float32).reshape(shape)))
            shift = self._constant((f"{name}.middle", units.shift.astype(np.float32).reshape(shape)))
            self._add("Mul", [self.dequantized[name], *scale], f"{name}.wide")
            self._add("Add", [f"{name}.wide", *shift], name)

    def _image(self) -> str:
        """Quantize the normalised photograph, the input of the first convolution."""
        return self.network.convolutions[0].source

    def _steps(self, name: str) -> Steps:
        return self.quantization.steps[self.keys[name]]

    def _units(self, name: str) -> Units | None:
        return self.quantization.units.get(self.keys[name])

    def _constant(self, *named: tuple[str, Numbers]) -> list[str]:
        for name, numbers in named:
            self.constants[name] = numpy_helper.from_array(np.asarray(numbers), name)
        return [name for name, _ in named]

    def _add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
