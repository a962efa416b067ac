"""Finds the network in an exported graph: convolutions and additions that can be computed in 8-bit integers.

A graph of flawspot has one network, or two (teacher and student), after a float part (resize, normalisation) and before
a float head. The network is found by its operators: every `Conv` with constant weights, the clip after it, and every
`Add` of two such results. Everything else between them, such as the products of squeeze-and-excitation, stays in float.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[np.float32]
_CLIPS = ("Clip", "Relu")


@dataclass
class Convolution:
    """One convolution with the clip after it.

    Attributes:
        key: the name of its weights, the same in every graph that has it.
        source, result: names of its input, and of its output after the clip.
        weights: (O, I / groups, K, K).
        bias: (O,).
        attributes: of the `Conv` node.
        low, high: the bounds of the clip; infinite without a clip.
        nodes: names of the outputs of the nodes that it replaces.
    """

    key: str
    source: str
    result: str
    weights: Array
    bias: Array
    attributes: Mapping[str, Any]
    low: float = -np.inf
    high: float = np.inf
    nodes: tuple[str, ...] = ()

    @property
    def linear(self) -> bool:
        """Whether there is no clip."""
        return bool(np.isinf(self.low) and np.isinf(self.high))

    @property
    def padded(self) -> bool:
        """Whether its input is padded with zeros."""
        return any(bool(pad) for pad in self.attributes.get("pads", ()))

    @property
    def groups(self) -> int:
        """The number of groups: 1, or the number of channels for a depthwise convolution."""
        return int(self.attributes.get("group", 1))


@dataclass
class Addition:
    """The addition of two results.

    Attributes:
        key: made from the key of the last convolution before it.
        sources: names of both summands.
        result: name of the sum.
    """

    key: str
    sources: tuple[str, str]
    result: str

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the outputs of the nodes that it replaces."""
        return (self.result,)


Layer = Convolution | Addition


@dataclass
class Network:
    """The layers of a graph, in the order of computation.

    Attributes:
        model: the float graph.
        layers: convolutions and additions.
        users: for each value, names of the first outputs of the nodes that read it, and ``output`` for the graph's own
            outputs.
    """

    model: onnx.ModelProto
    layers: list[Layer] = field(default_factory=list)
    users: dict[str, list[str]] = field(default_factory=dict)

    @property
    def convolutions(self) -> list[Convolution]:
        """The convolutions, without the additions."""
        return [layer for layer in self.layers if isinstance(layer, Convolution)]

    def values(self) -> dict[str, str]:
        """{key: name} of every quantized value: the inputs of convolutions and the outputs of layers."""
        given = {layer.result: layer.key for layer in self.layers}
        named = dict(given)
        for layer in self.convolutions:
            named.setdefault(layer.source, f"{layer.key}.source")
        return {key: name for name, key in named.items()}

    def taken_inside(self, name: str, layers: Sequence[Layer] | None = None) -> bool:
        """Whether only the given layers, by default any, read this value."""
        inside = {node for layer in (self.layers if layers is None else layers) for node in layer.nodes}
        return all(user in inside for user in self.users.get(name, []))


def sources_of(layer: Layer) -> tuple[str, ...]:
    """Names of a layer's inputs."""
    return layer.sources if isinstance(layer, Addition) else (layer.source,)


def constants(model: onnx.ModelProto) -> dict[str, NDArray[np.generic]]:
    """The graph's constants by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def read_network(model: onnx.ModelProto) -> Network:
    """Find the convolutions of a graph, their clips and additions.

    The model may not have quantized layers already.
    """
    known = constants(model)
    network = Network(model)
    for node in model.graph.node:
        for name in node.input:
            network.users.setdefault(name, []).append(node.output[0])
    for output in model.graph.output:
        network.users.setdefault(output.name, []).append("output")
    by_result: dict[str, Layer] = {}
    for node in model.graph.node:
        layer: Layer | None = None
        if node.op_type == "Conv" and node.input[1] in known:
            layer = _convolution(node, known)
        elif node.op_type in _CLIPS and _clips(node, by_result, network):
            _clip(node, by_result, known)
        elif node.op_type == "Add" and all(name in by_result for name in node.input):
            last = max(node.input, key=list(by_result).index)
            layer = Addition(f"{by_result[last].key}.sum", (node.input[0], node.input[1]), node.output[0])
        if layer is not None:
            network.layers.append(layer)
            by_result[layer.result] = layer
    return network


def _convolution(node: onnx.NodeProto, known: Mapping[str, NDArray[np.generic]]) -> Convolution:
    weights = np.asarray(known[node.input[1]], np.float32)
    has_bias = len(node.input) > 2 and node.input[2]
    bias = np.asarray(known[node.input[2]], np.float32) if has_bias else np.zeros(len(weights), np.float32)
    name = node.output[0]
    return Convolution(node.input[1], node.input[0], name, weights, bias, attributes_of(node), nodes=(name,))


def _clips(node: onnx.NodeProto, by_result: Mapping[str, Layer], network: Network) -> bool:
    """Whether a node clips a convolution that no other node reads."""
    layer = by_result.get(node.input[0])
    return isinstance(layer, Convolution) and layer.linear and network.users[node.input[0]] == [node.output[0]]


def _clip(node: onnx.NodeProto, by_result: dict[str, Layer], known: Mapping[str, NDArray[np.generic]]) -> None:
    layer = by_result.pop(node.input[0])
    assert isinstance(layer, Convolution)
    low, high = 0.0, np.inf
    if node.op_type == "Clip":
        bounds = [float(known[name]) if name else None for name in node.input[1:]]
        low = bounds[0] if bounds and bounds[0] is not None else -np.inf
        high = bounds[1] if len(bounds) > 1 and bounds[1] is not None else np.inf
    layer.low, layer.high = low, high
    layer.result = node.output[0]
    layer.nodes = (*layer.nodes, node.output[0])
    by_result[layer.result] = layer
