"""The parts of a graph that is recorded, and the ONNX model that is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

OPSET, IR = 20, 10
"""Versions of the operator set and of the file format, as in torch's exporter."""


class UnknownOperatorError(Exception):
    """A call that cannot be written here. The exporter is used instead, so users never see this error."""


def is_known(graph: nn.Module) -> bool:
    """Whether all its modules are flawspot's or torch's. What others compute, in place or by numbers of the example,
    may not be seen in one run, so it is left to torch's exporter."""
    return all(type(module).__module__.startswith(("flawspot.", "torch.nn.")) for module in graph.modules())


@dataclass(frozen=True)
class Input:
    """An input of a graph.

    Attributes:
        example: (N, ...) with N at least 2, so that a sum over photographs can be recognised.
        lengths: its lengths in the graph; names for those that are free.
    """

    example: Tensor
    lengths: Sequence[int | str]


@dataclass
class Node:
    """An operator: its type, the names of its inputs and of its results, and its attributes.

    `weights` are those of its inputs that are its own constants.
    """

    kind: str
    inputs: list[str]
    results: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = ""
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)


class Count(int):
    """The first length of a tensor that depends on the photographs, and its name in the graph, (1,) int64.

    Its value is that of the example and must not enter the graph, so nothing can be computed from it.
    """

    def __new__(cls, value: int, name: str) -> Count:
        """`name` is that of the tensor's first length in the graph."""
        count = super().__new__(cls, value)
        count.name = name
        return count

    name: str

    def _refused(self, *_: Any) -> Any:
        raise UnknownOperatorError("a computation with the number of photographs")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __bool__ = _refused
    __floordiv__ = __rfloordiv__ = __truediv__ = __rtruediv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _refused
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _refused
    __hash__ = int.__hash__


class Sizes(tuple[int, ...]):
    """The shape of a tensor that depends on the photographs. Its first length is a `Count`."""

    first: Count

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        if isinstance(place, slice):
            whole = range(len(self))[place]
            return tuple(self.first if number == 0 else size for number, size in zip(whole, found, strict=True))
        return self.first if place in (0, -len(self)) else found

    def __iter__(self) -> Iterator[int]:
        return iter(self[:])


def model_of(
    recorded: Mapping[str, Node],
    values: Mapping[str, NDArray[Any]],
    inputs: Mapping[str, Input],
    results: Mapping[str, tuple[str, Tensor]],
) -> onnx.ModelProto:
    """The model with what its results need.

    Args:
        recorded: each operator by the names of its results, in the order of their computation.
        values: constants by their names.
        inputs: the inputs by their names.
        results: for each output its name in `recorded`, and its value.
    """
    found = [name for name, _ in results.values()]
    if len(set(found)) < len(found) or not set(found) <= set(recorded):
        raise UnknownOperatorError("outputs that are one and the same, or constant")
    final = dict(zip(found, results, strict=True))
    needed, waiting = set[int](), list(found)
    while waiting:
        node = recorded.get(waiting.pop())
        if node is not None and id(node) not in needed:
            needed.add(id(node))
            waiting += node.inputs
    nodes = [node for name, node in recorded.items() if id(node) in needed and name == node.results[0]]
    used = {name for node in nodes for name in node.inputs}
    constants = {name: array for name, array in values.items() if name in used}
    for node in nodes:
        for name, array in node.weights.items():
            if constants.setdefault(name, array) is not array:  # as it is, and with a batch norm in it
                raise UnknownOperatorError("a weight with two values")
    graph = helper.make_graph(
        [_proto(node, final) for node in nodes],
        "main_graph",
        [
            helper.make_tensor_value_info(name, type_of(each.example), list(each.lengths))
            for name, each in inputs.items()
        ],
        [_info(name, value, inputs) for name, (_, value) in results.items()],
        [numpy_helper.from_array(np.array(array, order="C"), name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="flawspot")


def _proto(node: Node, final: dict[str, str]) -> onnx.NodeProto:
    results = [final.get(name, name) for name in node.results]
    inputs = [final.get(name, name) for name in node.inputs]
    return helper.make_node(node.kind, inputs, results, name=results[0], domain=node.domain or None, **node.attributes)


def _info(name: str, result: Tensor, inputs: Mapping[str, Input]) -> onnx.ValueInfoProto:
    examples = len(next(iter(inputs.values())).example)
    first = "N" if result.shape[0] == examples else None
    return helper.make_tensor_value_info(name, type_of(result), [first, *result.shape[1:]])


def type_of(tensor: Tensor) -> int:
    """ONNX's number of a tensor's type."""
    return helper.np_dtype_to_tensor_dtype(torch.empty(0, dtype=tensor.dtype).numpy().dtype)
