"""Writes a module's graph from one run of the module, operator by operator.

torch's exporter traces a module several times, which takes seconds for any module. flawspot's networks and heads call
some dozens of functions of torch, each of which is one or a few ONNX operators. So the module is run once on a small
example, and each call whose arguments depend on the photograph is recorded. Everything else is a constant. Of backbones
and students the result has the same operators and constants as that of the exporter and its optimizer, with batch norms
folded too; of heads it has the same stored constants, and computes the same. Tests check this for every backbone and
method. If a module calls anything else, nothing is written and the exporter is used.

The number of photographs is free. ``x.shape[0]`` may be the length of another tensor; code that computes with it is
refused. As a proof, the module is run again with one photograph more, which must give the same graph.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from flawspot.training.recorded_graph import Count, Input, Node, Sizes, UnknownOperatorError, model_of
from flawspot.training.recorded_operators import WRITERS

_ASKED = ("dim", "ndim", "dtype", "device", "requires_grad", "is_quantized", "is_floating_point")
"""What may be asked of a tensor, for it does not depend on the photographs."""
_SMALL_TYPES = (torch.float16, torch.int8, torch.uint8)
"""Types of stored numbers. They are decoded in the graph."""
_TYPES = (torch.float32, torch.int64, torch.int32, torch.bool, *_SMALL_TYPES)
_MOST_TWICE = 8192
"""Numbers in a constant of which others are made, and stored, beforehand: the limit of onnxscript's optimizer, too."""
_COUNTING = ("Shape", "NonZero", "Reshape", "Expand")
"""Operators by whose shapes the number of photographs in the example could enter the graph."""

_running: list[Recording] = []


def recording() -> bool:
    """Whether a module is being recorded."""
    return bool(_running)


def stand_in(domain: str, kind: str, given: Tensor, shape: Sequence[int]) -> Tensor:
    """A placeholder of this shape for the result of an operator of `domain`, in the module that is recorded."""
    recorder = _running[-1]
    result = torch.zeros(*map(int, shape))
    recorder.is_now(result, recorder.node(kind, recorder.of(given), domain=domain))
    return result


class Recording(TorchFunctionMode):
    """Records a module's calls of torch.

    Attributes:
        kept: prefix of the names of constants that stay unchanged. Results that depend on these alone are computed in
            the graph, so that the constants can be changed there. None precomputes such results, if the constants are
            small: a decoded or transposed memory bank would be stored a second time.
        nodes, constants: everything recorded, which may be more than the results need.
        shapes: shapes of tensors of torch by their names, with this example.
        counted: whether something may depend on the number of photographs in the example.
    """

    def __init__(self, module: nn.Module, kept: str | None, examples: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.kept, self.counted = kept, False
        self._first, self._examples = next((name, len(each)) for name, each in examples.items())
        self.nodes: dict[str, Node] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._known: dict[tuple[str, tuple[str, ...], str, str], tuple[str, ...]] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        # Tensors are kept alive, so that no other tensor gets the identity of a known one.
        self._values: dict[int, tuple[str, Tensor]] = {}
        self._free = set(examples)
        self._names = {id(tensor): name for name, tensor in (*module.named_parameters(), *module.named_buffers())}
        for name, tensor in examples.items():
            self.is_now(tensor, name)

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        name = _name(function)
        values = list(_flat((*args, *kwargs.values())))
        given = [each for each in values if isinstance(each, Tensor)]
        if name in _ASKED:
            return result
        if not any(id(each) in self._values for each in given) and not any(isinstance(each, Count) for each in values):
            if not isinstance(result, Tensor) or not any(map(self.is_kept, given)):
                return result
        elif name in ("shape", "__len__", "numel"):
            return self._sizes(given[0], result)
        known = [each for each in given if id(each) in self._values]
        results = list(_flat([result]))
        if name not in WRITERS or not all(
            isinstance(each, Tensor) and each.dtype in _TYPES for each in known + results
        ):
            raise UnknownOperatorError(name)
        try:
            written = WRITERS[name](self, result, *args, **kwargs)
        except (TypeError, ValueError):  # an argument that the writer does not know, or of another type
            raise UnknownOperatorError(name) from None
        for each, its_name in zip(results, [written] if isinstance(written, str) else written or (), strict=False):
            self.is_now(each, its_name)
        return result

    def _sizes(self, tensor: Tensor, shape: Any) -> Any:
        """A shape, or a number that depends on it, without the number of photographs."""
        name = self.of(tensor)
        if name not in self._free or shape == ():
            return shape
        if isinstance(shape, int):
            raise UnknownOperatorError("the number of photographs")
        sizes = Sizes(shape)
        sizes.first = Count(shape[0], self.node("Shape", name, start=0, end=1))
        return sizes

    def is_kept(self, tensor: Tensor) -> bool:
        """Whether it is a constant of which no other is made beforehand."""
        name = self._names.get(id(tensor))
        if name is None:
            return False
        large = tensor.dtype in _SMALL_TYPES or tensor.numel() > _MOST_TWICE
        return large or (self.kept is not None and name.startswith(self.kept))

    def is_now(self, tensor: Tensor, name: str) -> None:
        """Name this tensor `name` in the graph from now on."""
        self._values[id(tensor)] = (name, tensor)
        self.shapes[name] = tuple(tensor.shape)

    def recorded(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the photographs, or on a constant that may change."""
        return id(tensor) in self._values

    def of(self, tensor: Tensor | float, dtype: torch.dtype = torch.float32) -> str:
        """The name of a tensor, or of a number as `dtype`, in the graph. What is not recorded becomes a constant."""
        if isinstance(tensor, Count):
            raise UnknownOperatorError("a computation with the number of photographs")
        if not isinstance(tensor, Tensor):
            return self.constant(torch.tensor(tensor, dtype=dtype).numpy())
        if id(tensor) in self._values:
            return self._values[id(tensor)][0]
        name = self.constant(tensor.detach().numpy(), self._names.get(id(tensor)))
        self.shapes[name] = tuple(tensor.shape)
        return name

    def integers(self, *values: int) -> str:
        """The name of a constant (len(values),) int64."""
        if any(isinstance(each, Count) for each in values):
            raise UnknownOperatorError("a computation with the number of photographs")
        return self.constant(np.asarray(values, np.int64))

    def lengths(self, sizes: Sequence[int], *, may_remain: bool = True) -> str:
        """The name of a shape. If lengths may be -1, which is what remains, a `Count` is so too where it can be."""
        free = [each for each in sizes if isinstance(each, Count)]
        if not free:
            return self.integers(*sizes)
        if may_remain and len(free) == 1 and all(size > 0 for size in sizes if size is not free[0]):
            return self.integers(*(-1 if size is free[0] else size for size in sizes))
        parts = [size.name if isinstance(size, Count) else self.integers(size) for size in sizes]
        return self.node("Concat", *parts, axis=0)

    def constant(self, array: NDArray[Any], name: str | None = None) -> str:
        """The name of a constant. Without a given name, equal constants share one."""
        if name is None:
            key = (array.dtype.str, array.shape, array.tobytes())
            name = self._shared.setdefault(key, f"constant_{len(self._shared)}")
        # A copy, because the tensor may be changed in place later.
        self.constants.setdefault(name, array.copy())
        return name

    def name_of(self, tensor: Tensor) -> str:
        """The name of a parameter or buffer in its module."""
        if id(tensor) not in self._names:
            raise UnknownOperatorError("a weight without a name")
        return self._names[id(tensor)]

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Record an operator once, and return the name of its result. An input that is not there is ``""``."""
        return self.nodes_of(kind, 1, *inputs, domain=domain, **attributes)[0]

    def nodes_of(self, kind: str, count: int, *inputs: str, domain: str = "", **attributes: Any) -> tuple[str, ...]:
        """Record an operator once, and return the names of its `count` results."""
        known = (kind, inputs, domain, repr(sorted(attributes.items())))
        if known not in self._known:
            self._known[known] = self._written(Node(kind, list(inputs), (), attributes, domain), count)
        return self._known[known]

    def weighted(self, kind: str, source: str, weights: Mapping[str, NDArray[Any]], **attributes: Any) -> str:
        """Record an operator with its own weights, and return the name of its result."""
        return self._written(Node(kind, [source, *weights], (), attributes, weights=dict(weights)), 1)[0]

    def _written(self, node: Node, count: int) -> tuple[str, ...]:
        node.results = tuple(f"value_{len(self.nodes) + number}" for number in range(count))
        self.nodes.update(dict.fromkeys(node.results, node))
        if not self._free.isdisjoint(node.inputs):
            self._free.update(node.results)
        self.counted = self.counted or node.kind in _COUNTING
        return node.results

    def photographs(self, result: Tensor) -> str:
        """The number of photographs, (1,), from the first size of `result`."""
        if result.shape[0] != self._examples:
            return self.node("Shape", self.of(result), start=0, end=1)
        return self.node("Shape", self._first, start=0, end=1)


def record(
    module: nn.Module, outputs: Sequence[str], kept: str | None, inputs: Mapping[str, Input]
) -> onnx.ModelProto | None:
    """The graph of a module that takes `inputs`. Placeholders stay in it.

    Args:
        module: the module in evaluation mode.
        outputs: names of all its results.
        kept: see `Recording`.
        inputs: the inputs by their names. The number of photographs is the first length of each.

    Returns:
        The model, or None if the module calls something that cannot be recorded.
    """
    try:
        model, counted = _recorded(module, outputs, kept, inputs)
        if counted:  # it must not depend on how many photographs there are in the example
            more = {name: Input(_one_more(each.example), each.lengths) for name, each in inputs.items()}
            again, _ = _recorded(module, outputs, kept, more)
            if again.SerializeToString(deterministic=True) != model.SerializeToString(deterministic=True):
                return None
    except UnknownOperatorError:
        return None
    return model


def _one_more(example: Tensor) -> Tensor:
    return torch.cat([example, example[:1].flip(-2)])


def _recorded(
    module: nn.Module, outputs: Sequence[str], kept: str | None, inputs: Mapping[str, Input]
) -> tuple[onnx.ModelProto, bool]:
    """The model, and whether the number of photographs in the example may be in it."""
    examples = {name: each.example for name, each in inputs.items()}
    recorder = Recording(module, kept, examples)
    with torch.no_grad(), _in_progress(recorder), recorder:
        results = module(*examples.values())
    values = [results] if isinstance(results, Tensor) else list(results)
    made = {name: (recorder.of(value), value) for name, value in zip(outputs, values, strict=True)}
    return model_of(recorder.nodes, recorder.constants, inputs, made), recorder.counted


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


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from _flat(value)
        elif isinstance(value, slice):
            yield from (value.start, value.stop, value.step)
        else:
            yield value
