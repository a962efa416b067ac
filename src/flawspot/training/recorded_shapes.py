"""Writes torch's functions that only move numbers: shapes, parts and indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from flawspot.training.recorded_graph import Count, UnknownOperatorError

if TYPE_CHECKING:
    from flawspot.training.recording import Recording

_END = 2**63 - 1
"""The end of an axis, whatever its length."""


def _sizes(given: tuple[Any, ...]) -> Sequence[int]:
    """Of ``x.reshape(2, 3)`` and of ``x.reshape((2, 3))``."""
    return given[0] if len(given) == 1 and isinstance(given[0], tuple | list) else given


def _reshape(to: Recording, result: Tensor, x: Tensor, *shape: Any) -> str:
    if result.shape == x.shape:
        return to.of(x)
    rows = _rows_by_index(to, result, x)
    return rows or to.node("Reshape", to.of(x), to.lengths(_sizes(shape)), allowzero=1)


def _rows_by_index(to: Recording, result: Tensor, x: Tensor) -> str | None:
    """Rows that were taken by a flattened index of three axes or more, taken by the index itself: its lengths in the
    middle may depend on the photographs. None if `x` is nothing of that kind."""
    before = to.nodes.get(to.of(x))
    if before is None or before.kind != "Gather" or before.attributes["axis"]:
        return None
    rows, flat = before.inputs
    flattened = to.nodes.get(flat)
    if flattened is None or flattened.kind != "Reshape":
        return None
    index = flattened.inputs[0]
    lengths = to.shapes.get(index, ())
    if len(lengths) < 3 or lengths + to.shapes[rows][1:] != tuple(result.shape):
        return None
    return to.node("Gather", rows, index, axis=0)


def _flatten(to: Recording, result: Tensor, x: Tensor, start_dim: int = 0, end_dim: int = -1) -> str:
    start, after = start_dim % x.ndim, x.ndim - 1 - end_dim % x.ndim
    kept = result.shape[result.ndim - after :]
    # Zeros stand for lengths of `x` that stay.
    return to.node("Reshape", to.of(x), to.integers(*[0] * start, -1, *kept), allowzero=0)


def _permute(to: Recording, result: Tensor, x: Tensor, *dims: Any) -> str:
    return to.node("Transpose", to.of(x), perm=[axis % x.ndim for axis in _sizes(dims)])


def _transpose(to: Recording, result: Tensor, x: Tensor, dim0: int, dim1: int) -> str:
    axes = list(range(x.ndim))
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return to.node("Transpose", to.of(x), perm=axes)


def _transposed(to: Recording, result: Tensor, x: Tensor) -> str:
    if x.ndim != 2:
        raise UnknownOperatorError("a transposed tensor that is no matrix")
    return to.node("Transpose", to.of(x), perm=[1, 0])


def _cat(to: Recording, result: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> str:
    if any(each.dtype != result.dtype for each in tensors):
        raise UnknownOperatorError("parts of several types")
    return to.node("Concat", *map(to.of, tensors), axis=dim)


def _stack(to: Recording, result: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> str:
    axis = to.integers(dim % result.ndim)
    return to.node("Concat", *(to.node("Unsqueeze", to.of(each), axis) for each in tensors), axis=dim)


def _split(to: Recording, result: Sequence[Tensor], x: Tensor, sizes: Sequence[int], dim: int = 0) -> tuple[str, ...]:
    if isinstance(sizes, int):
        raise UnknownOperatorError("parts whose number depends on the tensor")
    return to.nodes_of("Split", len(sizes), to.of(x), to.integers(*sizes), axis=dim)


def _chunk(to: Recording, result: Sequence[Tensor], x: Tensor, chunks: int, dim: int = 0) -> tuple[str, ...]:
    return _split(to, result, x, [each.shape[dim] for each in result], dim)


def _expand(to: Recording, result: Tensor, x: Tensor, *sizes: Any) -> str:
    lengths = [size if isinstance(size, Count) or size != -1 else 1 for size in _sizes(sizes)]
    return to.node("Expand", to.of(x), to.lengths(lengths, may_remain=False))


def _ones_like(to: Recording, result: Tensor, x: Tensor) -> str:
    return to.node("Expand", to.of(1.0, x.dtype), to.node("Shape", to.of(x), start=0))


def _arange(to: Recording, result: Tensor, count: Count) -> str:
    return to.node("Range", to.of(0, torch.int64), to.node("Squeeze", count.name), to.of(1, torch.int64))


def _narrow(to: Recording, result: Tensor, x: Tensor, dim: int, start: int | Tensor, length: int | Tensor) -> str:
    if isinstance(start, Tensor) or isinstance(length, Tensor):
        raise UnknownOperatorError("a part whose place depends on the photographs")
    return _sliced(to, to.of(x), [(dim % x.ndim, start, start + length)])


def _sliced(to: Recording, x: str, parts: Sequence[tuple[int, int, int]]) -> str:
    """The parts (axis, start, stop)."""
    if not parts:
        return x
    axes, starts, stops = zip(*parts, strict=True)
    return to.node("Slice", x, to.integers(*starts), to.integers(*stops), to.integers(*axes))


def _getitem(to: Recording, result: Tensor, x: Tensor, index: Any) -> str:
    items = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(item, bool | list) for item in items):
        raise UnknownOperatorError("an index of truth values, or a list")
    taken = sum(item is not None and item is not Ellipsis for item in items)
    if Ellipsis in [item for item in items if not isinstance(item, Tensor)]:
        place = next(number for number, item in enumerate(items) if item is Ellipsis)
        items[place : place + 1] = [slice(None)] * (x.ndim - taken)
    if any(isinstance(item, Tensor) for item in items):
        return _indexed(to, x, items)
    return _part(to, x, items)


def _part(to: Recording, x: Tensor, items: Sequence[int | slice | None]) -> str:
    """What slices, numbers and new axes take of it."""
    slices, numbers, new, axis = list[tuple[int, int, int]](), list[tuple[int, int]](), list[int](), 0
    for item in items:
        if item is None:
            new.append(axis - len(numbers) + len(new))
            continue
        if isinstance(item, slice):
            if item.step not in (None, 1) or isinstance(item.start, Tensor) or isinstance(item.stop, Tensor):
                raise UnknownOperatorError("every other number, or a bound that depends on the photographs")
            if (item.start, item.stop) != (None, None) and item != slice(0, None):
                slices.append((axis, item.start or 0, _END if item.stop is None else item.stop))
        else:
            numbers.append((axis, item))
        axis += 1
    found = _sliced(to, to.of(x), slices)
    for place, number in reversed(numbers):
        found = to.node("Gather", found, to.of(number, torch.int64), axis=place)
    return to.node("Unsqueeze", found, to.integers(*new)) if new else found


def _indexed(to: Recording, x: Tensor, items: Sequence[Any]) -> str:
    """What tensors of indices take of it: one of any shape, or several, (K,) each, the first on the first axis."""
    places = [place for place, item in enumerate(items) if isinstance(item, Tensor)]
    indices = [items[place] for place in places]
    others = [item for item in items if not isinstance(item, Tensor)]
    if any(item != slice(None) for item in others) or any(each.dtype != torch.int64 for each in indices):
        raise UnknownOperatorError("an index of several kinds")
    if len(places) == 1:
        return to.node("Gather", to.of(x), to.of(indices[0]), axis=places[0])
    if places[0] != 0 or any(each.ndim != 1 for each in indices):
        raise UnknownOperatorError("indices of several axes")
    rest = [axis for axis in range(x.ndim) if axis not in places]
    first = to.of(x) if places == list(range(len(places))) else to.node("Transpose", to.of(x), perm=[*places, *rest])
    last = to.integers(-1)
    columns = [to.node("Unsqueeze", to.of(each), last) for each in indices]
    return to.node("GatherND", first, to.node("Concat", *columns, axis=-1), batch_dims=0)


def _index_select(to: Recording, result: Tensor, x: Tensor, dim: int, index: Tensor) -> str:
    return to.node("Gather", to.of(x), to.of(index), axis=dim)


def _gather(to: Recording, result: Tensor, x: Tensor, dim: int, index: Tensor) -> str:
    return to.node("GatherElements", to.of(x), to.of(index), axis=dim)


def _index_put(to: Recording, result: Tensor, x: Tensor, indices: Sequence[Tensor], values: Tensor) -> str:
    (index,) = indices
    if index.ndim != 1 or index.dtype != torch.int64 or values.ndim != x.ndim:
        raise UnknownOperatorError("indices of several axes")
    return to.node("ScatterND", to.of(x), to.node("Unsqueeze", to.of(index), to.integers(-1)), to.of(values))


def _nonzero(to: Recording, result: Tensor, x: Tensor) -> str:
    return to.node("Transpose", to.node("NonZero", to.of(x)), perm=[1, 0])


def _interpolate(
    to: Recording, result: Tensor, x: Tensor, size: Sequence[int], mode: str = "nearest", **others: Any
) -> str:
    if mode != "nearest" or size is None or any(others.values()):
        raise UnknownOperatorError("a resizing other than by the nearest to a size")
    shape = to.node("Concat", to.node("Shape", to.of(x), start=0, end=2), to.integers(*size), axis=0)
    how = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    return to.node("Resize", to.of(x), "", "", shape, **how)


SHAPES: dict[str, Callable[..., str | tuple[str, ...] | None]] = {
    "reshape": _reshape,
    "flatten": _flatten,
    "permute": _permute,
    "transpose": _transpose,
    "T": _transposed,
    "cat": _cat,
    "stack": _stack,
    "split": _split,
    "chunk": _chunk,
    "expand": _expand,
    "ones_like": _ones_like,
    "arange": _arange,
    "narrow": _narrow,
    "__getitem__": _getitem,
    "index_select": _index_select,
    "gather": _gather,
    "index_put": _index_put,
    "nonzero": _nonzero,
    "interpolate": _interpolate,
}
"""Writers of these functions by their names."""
