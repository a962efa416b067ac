"""Writes torch's arithmetic: with numbers, truth values and types, and over axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from onnx import TensorProto
from torch import Tensor

from flawspot.training.recorded_graph import UnknownOperatorError, type_of

if TYPE_CHECKING:
    from flawspot.training.recording import Recording


def unary(kind: str) -> Callable[..., str]:
    """The writer of an operator with one input and no settings."""

    def write(to: Recording, result: Tensor, x: Tensor, inplace: bool = False) -> str:
        return to.node(kind, to.of(x))

    return write


def _binary(kind: str) -> Callable[..., str]:
    def write(to: Recording, result: Tensor, x: Tensor | float, y: Tensor | float) -> str:
        return to.node(kind, *_operands(to, x, y))

    return write


def _operands(to: Recording, x: Tensor | float, y: Tensor | float) -> tuple[str, str]:
    """Two tensors of one type, or a tensor and a number of its type."""
    tensors = [each for each in (x, y) if isinstance(each, Tensor)]
    dtype = tensors[0].dtype
    numbers = [each for each in (x, y) if not isinstance(each, Tensor)]
    if any(each.dtype != dtype for each in tensors) or (
        not dtype.is_floating_point and any(isinstance(each, float) for each in numbers)
    ):
        raise UnknownOperatorError("operands of two types")
    return to.of(x, dtype), to.of(y, dtype)


def _turned(kind: str) -> Callable[..., str]:
    def write(to: Recording, result: Tensor, x: Tensor, y: Tensor | float) -> str:
        return to.node(kind, *_operands(to, y, x))

    return write


def _is_number(to: Recording, value: Tensor | float, number: float) -> bool:
    """Whether it is a constant scalar with this value."""
    return isinstance(value, Tensor) and not to.recorded(value) and value.ndim == 0 and float(value) == number


def _add(to: Recording, result: Tensor, x: Tensor | float, y: Tensor | float) -> str:
    for one, other in ((x, y), (y, x)):  # a sum with 0 is left out
        if isinstance(other, Tensor) and _is_number(to, one, 0):
            return to.of(other)
    return to.node("Add", *_operands(to, x, y))


def _mul(to: Recording, result: Tensor, x: Tensor | float, y: Tensor | float) -> str:
    for one, other in ((x, y), (y, x)):  # a product with 1 is left out
        if isinstance(other, Tensor) and _is_number(to, one, 1):
            return to.of(other)
    return to.node("Mul", *_operands(to, x, y))


def _div(to: Recording, result: Tensor, x: Tensor | float, y: Tensor | float) -> str:
    if not all(each.is_floating_point() for each in (x, y) if isinstance(each, Tensor)):
        raise UnknownOperatorError("a quotient of integers")
    return to.node("Div", *_operands(to, x, y))


def _floor_divide(to: Recording, result: Tensor, x: Tensor, y: int) -> str:
    """ONNX divides towards zero, so the remainder is taken away first."""
    if x.is_floating_point():
        raise UnknownOperatorError("a quotient of real numbers")
    rest = to.node("Mod", *_operands(to, x, y), fmod=0)
    return to.node("Div", to.node("Sub", to.of(x), rest), to.of(y, x.dtype))


def _remainder(to: Recording, result: Tensor, x: Tensor, y: int) -> str:
    if not isinstance(x, Tensor) or x.is_floating_point():
        raise UnknownOperatorError("a remainder of real numbers")
    return to.node("Mod", *_operands(to, x, y), fmod=0)


def _addmm(to: Recording, result: Tensor, bias: Tensor, x: Tensor, y: Tensor) -> str:
    return to.node("Gemm", to.of(x), to.of(y), to.of(bias), alpha=1.0, beta=1.0, transA=0, transB=0)


def _linear(to: Recording, result: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> str:
    if x.ndim != 2 or bias is None:
        raise UnknownOperatorError("a linear layer other than of vectors")
    return to.node("Gemm", to.of(x), to.of(weight), to.of(bias), alpha=1.0, beta=1.0, transA=0, transB=1)


def _clamp(
    to: Recording,
    result: Tensor,
    x: Tensor,
    min: float | None = None,
    max: float | None = None,
) -> str:
    if isinstance(min, Tensor) or isinstance(max, Tensor) or not x.is_floating_point():
        raise UnknownOperatorError("limits that are tensors, or of whole numbers")
    limits = ["" if limit is None else to.of(limit, x.dtype) for limit in (min, max)]
    return to.node("Clip", to.of(x), *limits[: 1 if max is None else 2])


def _cast(dtype: torch.dtype) -> Callable[..., str | None]:
    def write(to: Recording, result: Tensor, x: Tensor) -> str | None:
        return _to(to, result, x, dtype)

    return write


def _to(to: Recording, result: Tensor, x: Tensor, like: torch.dtype | Tensor) -> str | None:
    if not isinstance(like, Tensor | torch.dtype):
        raise UnknownOperatorError("another device")
    if not (to.recorded(x) or to.is_kept(x)):
        return None  # a constant, converted to the type of a tensor that is none
    if result.dtype == x.dtype:
        return to.of(x)
    return to.node("Cast", to.of(x), to=type_of(result))


def _softplus(to: Recording, result: Tensor, x: Tensor) -> str:
    """From 20 on it is the number itself, as in torch: some runtimes compute an exponential that leaves float32."""
    above = to.node("Greater", to.of(x), to.of(20.0))
    return to.node("Where", above, to.of(x), to.node("Softplus", to.of(x)))


def _not(to: Recording, result: Tensor, x: Tensor) -> str:
    if x.dtype != torch.bool:
        raise UnknownOperatorError("the bits of a number")
    return to.node("Not", to.of(x))


def _or(to: Recording, result: Tensor, x: Tensor, y: Tensor) -> str:
    if x.dtype != torch.bool or y.dtype != torch.bool:
        raise UnknownOperatorError("the bits of a number")
    return to.node("Or", to.of(x), to.of(y))


def _where(to: Recording, result: Tensor, condition: Tensor, x: Tensor | float, y: Tensor | float) -> str:
    return to.node("Where", to.of(condition), *_operands(to, x, y))


def _masked_fill(to: Recording, result: Tensor, x: Tensor, mask: Tensor, value: float) -> str:
    return to.node("Where", to.of(mask), to.of(value, x.dtype), to.of(x))


def _square(to: Recording, result: Tensor, x: Tensor) -> str:
    return to.node("Pow", to.of(x), to.of(2.0))


def _axes(to: Recording, dim: int | Sequence[int]) -> str:
    """The name of one axis or of several, as an input of an operator."""
    return to.integers(*([dim] if isinstance(dim, int) else dim))


def _reduced(kind: str) -> Callable[..., str]:
    def write(to: Recording, result: Tensor, x: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> str:
        if result.dtype != x.dtype:
            raise UnknownOperatorError("a sum of another type")
        return to.node(kind, to.of(x), _axes(to, dim), keepdims=int(keepdim), noop_with_empty_axes=0)

    return write


def _vector_norm(
    to: Recording, result: Tensor, x: Tensor, ord: float = 2, dim: int | None = None, keepdim: bool = False
) -> str:
    if ord != 2 or not isinstance(dim, int):
        raise UnknownOperatorError("a norm other than the Euclidean one along one axis")
    return _reduced("ReduceL2")(to, result, x, dim, keepdim)


def _extreme(kind: str) -> Callable[..., str]:
    def write(to: Recording, result: Tensor, x: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> str:
        return to.node(kind, to.of(x), _axes(to, dim), keepdims=int(keepdim))

    return write


def _place_of(kind: str) -> Callable[..., str]:
    def write(to: Recording, result: Tensor, x: Tensor, dim: int, keepdim: bool = False) -> str:
        if not isinstance(dim, int):
            raise UnknownOperatorError("the place in all axes")
        return to.node(kind, to.of(x), axis=dim, keepdims=int(keepdim), select_last_index=0)

    return write


def _max(to: Recording, result: tuple[Tensor, Tensor], x: Tensor, dim: int, keepdim: bool = False) -> tuple[str, ...]:
    if not isinstance(dim, int):
        raise UnknownOperatorError("the larger of two tensors")
    return _extreme("ReduceMax")(to, result[0], x, dim, keepdim), _place_of("ArgMax")(to, result[1], x, dim, keepdim)


def _all(to: Recording, result: Tensor, x: Tensor, dim: int, keepdim: bool = False) -> str:
    if x.dtype != torch.bool:
        raise UnknownOperatorError("whether all numbers are other than 0")
    numbers = to.node("Cast", to.of(x), to=TensorProto.INT64)
    smallest = to.node("ReduceMin", numbers, _axes(to, dim), keepdims=int(keepdim), noop_with_empty_axes=0)
    return to.node("Cast", smallest, to=TensorProto.BOOL)


def _topk(
    to: Recording, result: tuple[Tensor, Tensor], x: Tensor, k: int, dim: int = -1, largest: bool = True
) -> tuple[str, ...]:
    if not isinstance(k, int):
        raise UnknownOperatorError("a number that depends on the photographs")
    return to.nodes_of("TopK", 2, to.of(x), to.integers(k), axis=dim, largest=int(largest), sorted=1)


def _softmax(to: Recording, result: Tensor, x: Tensor, dim: int) -> str:
    return to.node("Softmax", to.of(x), axis=dim)


ARITHMETIC: dict[str, Callable[..., str | tuple[str, ...] | None]] = {
    "softplus": _softplus,
    "add": _add,
    "sub": _binary("Sub"),
    "__rsub__": _turned("Sub"),
    "div": _div,
    "mul": _mul,
    "matmul": _binary("MatMul"),
    "addmm": _addmm,
    "linear": _linear,
    "square": _square,
    "sqrt": unary("Sqrt"),
    "exp": unary("Exp"),
    "log": unary("Log"),
    "neg": unary("Neg"),
    "abs": unary("Abs"),
    "clamp": _clamp,
    "linalg_vector_norm": _vector_norm,
    "minimum": _binary("Min"),
    "maximum": _binary("Max"),
    "__floordiv__": _floor_divide,
    "remainder": _remainder,
    "le": _binary("LessOrEqual"),
    "lt": _binary("Less"),
    "eq": _binary("Equal"),
    "__eq__": _binary("Equal"),
    "__invert__": _not,
    "__or__": _or,
    "where": _where,
    "masked_fill": _masked_fill,
    "to": _to,
    "float": _cast(torch.float32),
    "long": _cast(torch.int64),
    "int": _cast(torch.int32),
    "sum": _reduced("ReduceSum"),
    "mean": _reduced("ReduceMean"),
    "logsumexp": _reduced("ReduceLogSumExp"),
    "amax": _extreme("ReduceMax"),
    "amin": _extreme("ReduceMin"),
    "argmin": _place_of("ArgMin"),
    "max": _max,
    "all": _all,
    "topk": _topk,
    "softmax": _softmax,
}
"""Writers of these functions by their names."""
