"""Bounds the number of dimensions of values in a graph, for the operator NonZero.

NonZero allocates room for the places of all elements before it has found any: eight bytes for each dimension of each
element. This is outside of the arena with its limit (`flawspot.runtime.arena`). So its input must have few dimensions.
Before it became truth values, it must also have been numbers of eight bytes, which the arena has limited.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flawspot.errors import ArtifactError

MOST_DIMENSIONS = 3
"""Most dimensions of an input of NonZero."""
_UNKNOWN = 99
_WIDE_TYPES = (7, 11, 13)
"""The types in TensorProto.DataType whose numbers take eight bytes."""
_NO_MORE_ELEMENTS = frozenset(
    b"Cast Identity Not ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Reshape Slice Squeeze Transpose "
    b"Unsqueeze".split()
)
"""Operators whose result has at most as many elements as their first input."""
_NO_LONGER = frozenset(b"Add Cast Div Identity Max Min Mul Slice Squeeze Sub Unsqueeze Where".split())
"""Operators whose result, if it has one dimension, is no longer than their longest input."""
_FIXED = {b"Constant": 1, b"Flatten": 2, b"NonZero": 2, b"Range": 1, b"Shape": 1, b"Size": 0}


@dataclass
class Extents:
    """What is known of the values so far. Unknown names may have any number of dimensions."""

    dimensions: dict[bytes, int] = field(default_factory=lambda: {b"image": 4})
    lengths: dict[bytes, int] = field(default_factory=dict)
    """Upper bounds on the lengths of values with one dimension."""
    wide: set[bytes] = field(default_factory=set)
    """Values that are numbers of eight bytes, or have no more elements than such ones."""

    def constant(self, name: bytes, dims: list[int]) -> None:
        """A tensor of the graph."""
        self.dimensions[name] = len(dims)
        if len(dims) == 1:
            self.lengths[name] = dims[0]

    def node(self, operator: bytes, inputs: list[bytes], outputs: list[bytes], types: list[int]) -> None:
        """Follow one operator.

        Args:
            operator, inputs, outputs: their names.
            types: the TensorProto.DataType numbers in its attributes.

        Raises:
            ArtifactError: it is a NonZero whose input may have many dimensions or elements.
        """
        first = inputs[0] if inputs else b""
        if operator == b"NonZero" and not (first in self.wide and self._of(first) <= MOST_DIMENSIONS):
            raise ArtifactError("it looks for what is not zero in a larger tensor than any detector")
        dimensions, length = self._dimensions(operator, inputs), self._length(operator, inputs)
        becomes_wide = operator == b"Cast" and bool(types) and types[-1] in _WIDE_TYPES
        for name in outputs:
            self.dimensions[name] = dimensions
            self.lengths[name] = length
            if becomes_wide or (operator in _NO_MORE_ELEMENTS and first in self.wide):
                self.wide.add(name)

    def _of(self, name: bytes) -> int:
        return self.dimensions.get(name, _UNKNOWN)

    def _longest(self, name: bytes) -> int:
        return 1 if self._of(name) == 0 else self.lengths.get(name, _UNKNOWN)

    def _dimensions(self, operator: bytes, inputs: list[bytes]) -> int:
        if operator in _FIXED:
            return _FIXED[operator]
        given = [self._of(name) for name in inputs if name]
        second = self._longest(inputs[1]) if len(inputs) > 1 else _UNKNOWN
        if not given or operator == b"Einsum":
            return _UNKNOWN
        if operator == b"Reshape":
            return second
        if operator == b"Expand":
            return max(given[0], second)
        if operator == b"Unsqueeze":
            return given[0] + second
        if operator in (b"Gather", b"GatherND"):  # the latter's places name one dimension at least
            return max(sum(given) - (1 if operator == b"Gather" else 2), 0)
        return max(given)

    def _length(self, operator: bytes, inputs: list[bytes]) -> int:
        if operator == b"Shape" and inputs:
            return self._of(inputs[0])
        given = [self._longest(name) for name in inputs if name]
        if operator == b"Concat":
            return sum(given)
        if operator == b"Gather" and len(inputs) > 1:
            return self._longest(inputs[1])
        if operator not in _NO_LONGER:
            return _UNKNOWN
        return max(given[:1] if operator in (b"Slice", b"Squeeze", b"Unsqueeze") else given, default=_UNKNOWN)
