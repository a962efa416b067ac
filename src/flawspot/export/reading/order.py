"""In which order operations run, so that little has to be kept."""

from __future__ import annotations

from collections.abc import Sequence

from flawspot.export.form import Addition, Convolution, Input, Operation


def in_order(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """What the last of them needs, and nothing else; what the head computes stands as early as it can.

    A distance of two taps is a small map, and the taps are needed no longer.
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
