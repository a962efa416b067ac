"""Orders operations so that little memory is needed."""

from __future__ import annotations

from collections.abc import Sequence

from flawspot.export.form import Addition, Convolution, Input, Operation


def in_order(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Keep only operations that the last one needs, and put the head's operations as early as possible.

    The distance of two taps is a small map, and then the taps are no longer needed.
    """
    needed = {operations[-1].y.name}
    kept: list[Operation] = []
    for operation in reversed(operations):
        if operation.y.name in needed:
            needed.update(tensor.name for tensor in operation.inputs)
            kept.append(operation)
    kept.reverse()
    ordered: list[Operation] = []
    for operation in kept[:-1]:
        if isinstance(operation, Input | Convolution | Addition):
            ordered.append(operation)
            continue
        names = {tensor.name for tensor in operation.inputs}
        last = max(place for place, earlier in enumerate(ordered) if earlier.y.name in names)
        ordered.insert(last + 1, operation)
    return (*ordered, kept[-1])
