"""Writes a module's graph from one run of the module, operator by operator.

torch's exporter traces a module several times, which takes seconds for any module. flawspot's networks call only a
dozen functions of torch, each of which is one or two ONNX operators. So the module is run once on a small example, and
each call whose arguments depend on the photograph is recorded. Everything else is a constant. The result has the same
operators and constants as that of the exporter and its optimizer, with batch norms folded too; a test checks this for
every backbone. If a module calls anything else, nothing is written and the exporter is used.

The number of photographs is free. Code that reads it, such as ``x.shape[0]``, is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from flawspot.training.recorded_operators import WRITERS, UnknownOperatorError

OPSET, IR = 20, 10
"""Versions of the operator set and of the file format, as in torch's exporter."""
EXAMPLES = 2
"""Photographs in the example. There is more than one, so that a sum over photographs can be recognised."""

_running: list[Recording] = []


def recording() -> bool:
    """Whether a module is being recorded."""
    return bool(_running)


def stand_in(domain: str, kind: str, given: Tensor, shape: Sequence[int]) -> Tensor:
    """A placeholder of this shape for the result of an operator of `domain`, in the module that is recorded."""
    recorder = _running[-1]
    result = torch.zeros(*shape)
    recorder.is_now(result, recorder.node(kind, recorder.of(given), domain=domain))
    return result


@dataclass
class Node:
    """An operator: its type, the names of its inputs and of its single result, and its attributes.

    `weights` are those of its inputs that are its own constants.
    """

    kind: str
    inputs: list[str]
    result: str
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = ""
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)


class _Sizes(tuple[int, ...]):
    """The shape of a tensor that depends on the photographs. Reading its first size, their number, is refused."""

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, int) or place in (0, -len(self)):
            raise UnknownOperatorError("the number of photographs")
        return super().__getitem__(place)

    def __iter__(self) -> Iterator[int]:
        raise UnknownOperatorError("the number of photographs")


class Recording(TorchFunctionMode):
    """Records a module's calls of torch.

    Attributes:
        kept: prefix of the names of constants that stay unchanged. Results that depend on these alone are computed in
            the graph, so that the constants can be changed there. None precomputes all such results.
        nodes, constants: everything recorded, which may be more than the results need.
    """

    def __init__(self, module: nn.Module, kept: str | None) -> None:
        super().__init__()
        self.kept = kept
        self.nodes: dict[str, Node] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self._known: dict[tuple[str, tuple[str, ...], str, str], str] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        # Tensors are kept alive, so that no other tensor gets the identity of a known one.
        self._values: dict[int, tuple[str, Tensor]] = {}
        self._names = {id(tensor): name for name, tensor in (*module.named_parameters(), *module.named_buffers())}

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        name = _name(function)
        given = [each for each in _flat((*args, *kwargs.values())) if isinstance(each, Tensor)]
        if name in ("dim", "dtype", "device", "requires_grad", "is_quantized") or not given:
            return result
        if not any(id(each) in self._values for each in given):
            if not isinstance(result, Tensor) or not self._is_kept(given):
                return result
        elif name == "shape":
            return _Sizes(result)
        known = [each for each in given if id(each) in self._values]
        if name not in WRITERS or not isinstance(result, Tensor) or not _all_floats([*known, result]):
            raise UnknownOperatorError(name)
        try:
            written = WRITERS[name](self, result, *args, **kwargs)
        except TypeError:  # an argument that the writer does not know, or of another type
            raise UnknownOperatorError(name) from None
        self.is_now(result, written)
        return result

    def _is_kept(self, given: Sequence[Tensor]) -> bool:
        names = (self._names.get(id(each), "") for each in given)
        return self.kept is not None and any(name.startswith(self.kept) for name in names)

    def is_now(self, tensor: Tensor, name: str) -> None:
        """Name this tensor `name` in the graph from now on."""
        self._values[id(tensor)] = (name, tensor)

    def recorded(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the photographs, or on a constant that may change."""
        return id(tensor) in self._values

    def of(self, tensor: Tensor | float) -> str:
        """The name of a tensor or number in the graph. It becomes a constant unless it is recorded."""
        if not isinstance(tensor, Tensor):
            return self.constant(np.asarray(tensor, np.float32))
        if id(tensor) in self._values:
            return self._values[id(tensor)][0]
        return self.constant(tensor.detach().numpy(), self._names.get(id(tensor)))

    def constant(self, array: NDArray[Any], name: str | None = None) -> str:
        """The name of a constant. Without a given name, equal constants share one."""
        if name is None:
            key = (array.dtype.str, array.shape, array.tobytes())
            name = self._shared.setdefault(key, f"constant_{len(self._shared)}")
        self.constants[name] = array
        return name

    def name_of(self, tensor: Tensor) -> str:
        """The name of a parameter or buffer in its module."""
        if id(tensor) not in self._names:
            raise UnknownOperatorError("a weight without a name")
        return self._names[id(tensor)]

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Record an operator once, and return the name of its result."""
        known = (kind, inputs, domain, repr(sorted(attributes.items())))
        if known not in self._known:
            self._known[known] = self._written(Node(kind, list(inputs), "", attributes, domain))
        return self._known[known]

    def weighted(self, kind: str, source: str, weights: Mapping[str, NDArray[Any]], **attributes: Any) -> str:
        """Record an operator with its own weights, and return the name of its result."""
        return self._written(Node(kind, [source, *weights], "", attributes, weights=dict(weights)))

    def _written(self, node: Node) -> str:
        node.result = f"value_{len(self.nodes)}"
        self.nodes[node.result] = node
        return node.result

    def photographs(self, result: Tensor) -> str:
        """The number of photographs, (1,), from the first size of `result`."""
        if result.shape[0] != EXAMPLES:
            raise UnknownOperatorError("tiles")
        return self.node("Shape", "image", start=0, end=1)


def record(module: nn.Module, outputs: Sequence[str], kept: str | None, example: Tensor) -> onnx.ModelProto | None:
    """The graph of a module that takes ``image`` (N, H, W, 3) uint8, with N, H and W free. Placeholders stay in it.

    Args:
        module: the module in evaluation mode.
        outputs: names of all its results.
        kept: see `Recording`.
        example: (EXAMPLES, H, W, 3) uint8.

    Returns:
        The model, or None if the module calls something that cannot be recorded.
    """
    recorder = Recording(module, kept)
    recorder.is_now(example, "image")
    try:
        with torch.no_grad(), _in_progress(recorder), recorder:
            results = module(example)
        return _model(recorder, results, outputs)
    except UnknownOperatorError:
        return None


@contextlib.contextmanager
def _in_progress(recorder: Recording) -> Iterator[None]:
    _running.append(recorder)
    try:
        yield
    finally:
        _running.pop()


def _name(function: Any) -> str:
    """The name of a function of torch, of a method of a tensor, or of a tensor's attribute."""
    name = str(getattr(function, "__name__", function))
    attribute = getattr(function, "__self__", None) if name == "__get__" else None
    if function is F.max_pool2d:  # one of two, by an argument, and called so by none
        return "max_pool2d"
    return name if attribute is None else str(getattr(attribute, "__name__", name))


def _all_floats(tensors: Sequence[Tensor]) -> bool:
    return all(each.dtype == torch.float32 for each in tensors)


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from _flat(value)
        else:
            yield value


def _model(recorder: Recording, results: Any, outputs: Sequence[str]) -> onnx.ModelProto:
    results = [results] if isinstance(results, Tensor) else list(results)
    found = [recorder.of(result) for result in results]
    if len(set(found)) < len(found) or not set(found) <= set(recorder.nodes):
        raise UnknownOperatorError("outputs that are one and the same, or constant")
    final = dict(zip(found, outputs, strict=True))
    needed, waiting = set[str](), list(found)
    while waiting:
        name = waiting.pop()
        if name in recorder.nodes and name not in needed:
            needed.add(name)
            waiting += recorder.nodes[name].inputs
    nodes = [node for name, node in recorder.nodes.items() if name in needed]
    if any(node.kind == "Pad" for node in nodes):
        raise UnknownOperatorError("a padding that no convolution is behind")
    used = {name for node in nodes for name in node.inputs}
    constants = {name: array for name, array in recorder.constants.items() if name in used}
    for node in nodes:
        for name, array in node.weights.items():
            if constants.setdefault(name, array) is not array:  # as it is, and with a batch norm in it
                raise UnknownOperatorError("a weight with two values")
    graph = helper.make_graph(
        [_proto(node, final) for node in nodes],
        "main_graph",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [_info(name, result) for name, result in zip(outputs, results, strict=True)],
        [numpy_helper.from_array(np.array(array, order="C"), name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="flawspot")


def _proto(node: Node, final: dict[str, str]) -> onnx.NodeProto:
    result = final.get(node.result, node.result)
    inputs = [final.get(name, name) for name in node.inputs]
    return helper.make_node(node.kind, inputs, [result], name=result, domain=node.domain or None, **node.attributes)


def _info(name: str, result: Tensor) -> onnx.ValueInfoProto:
    first = "N" if result.shape[0] == EXAMPLES else None
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [first, *result.shape[1:]])
