"""The features that a detector's head receives from a photograph, computed by the artifact's own graph, and the head's
result.

Both are parts of the shipped graph, cut at values with these names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from flawspot.errors import ArtifactError
from flawspot.runtime.arena import allowed_megabytes, exhausted, exhausted_reason
from flawspot.runtime.cutting import cut, named_values
from flawspot.runtime.session import open_session
from flawspot.runtime.state import Kept
from flawspot.texts import shortened

INSIDE = "flawspot.inside"
_LAYER = "flawspot.layer."
_MAP_RANK, _INSIDE_RANK = 4, 3
_ONE = np.zeros((1, 1, 1, 3), np.uint8)
"""Stands for one photograph if only the number of photographs matters."""
_LARGEST_HALF = 65_504.0
"""The largest number in half precision. Features of all known backbones are far smaller."""


def value_of(layer: int) -> str:
    """The name of a layer's maps in the graph; -1 is the normalised photograph."""
    return f"{_LAYER}{layer}"


@dataclass(frozen=True)
class Seen:
    """The features of one photograph, as the head receives them.

    Attributes:
        maps: {layer: (T, C, H, W)} float32, of the photograph's T tiles.
        inside: (T, height, width), the inspected pixels; None if all are.
    """

    maps: Mapping[int, NDArray[np.float32]]
    inside: NDArray[np.bool_] | None


class Eye:
    """Computes the features of a photograph for the head."""

    def __init__(self, model: bytes, layers: Sequence[int], *, threads: int | None = None) -> None:
        """Cut the graph.

        Args:
            model: a verified artifact that was trained to be updated.
            layers: layers whose maps the head receives.
            threads: see `flawspot.runtime.session.open_session`.

        Raises:
            ArtifactError: the graph does not have values with these names.
        """
        self._layers = list(layers)
        self._names = [*map(value_of, layers), *_masks(model)]
        self._session = open_session(cut(model, self._names), threads=threads, megabytes=allowed_megabytes())

    def __call__(self, pixels: NDArray[np.uint8]) -> Seen:
        """(H, W, 3) uint8 -> maps and mask."""
        found = _ran(self._session, self._names, {"image": pixels[None]})
        inside = found[-1] > 0.5 if self._names[-1] == INSIDE else None
        return Seen(dict(zip(self._layers, found, strict=False)), inside)


class Mind:
    """Computes the score, or other values of the graph, from features for the head."""

    def __init__(
        self, model: bytes, layers: Sequence[int], *, values: Sequence[str] = ("score",), threads: int | None = None
    ) -> None:
        """As `Eye`; `values` are names of float32 values of the graph."""
        self._names = list(values)
        self._masked = bool(_masks(model))
        ranks = {value_of(layer): _MAP_RANK for layer in layers}
        if self._masked:
            ranks[INSIDE] = _INSIDE_RANK
        self._session = open_session(cut(model, self._names, ranks), threads=threads, megabytes=allowed_megabytes())
        self._taken = {each.name for each in self._session.get_inputs()}

    def __call__(self, seen: Seen) -> float:
        """The score of one photograph."""
        return float(self.values(seen)[0][0])

    def values(self, seen: Seen) -> list[NDArray[np.float32]]:
        """All values for one photograph, in the order of their names."""
        given: dict[str, NDArray[Any]] = {value_of(layer): maps for layer, maps in seen.maps.items()}
        if self._masked and seen.inside is not None:
            given[INSIDE] = seen.inside.astype(np.float32)
        given["image"] = _ONE
        return _ran(self._session, self._names, {k: v for k, v in given.items() if k in self._taken})


def _masks(model: bytes) -> list[str]:
    return [INSIDE] if INSIDE in named_values(model, INSIDE) else []


def _ran(session: InferenceSession, names: list[str], given: Mapping[str, NDArray[Any]]) -> list[Any]:
    """Run a part of the graph on inputs that may come from a file and may not fit it.

    Raises:
        ArtifactError: ONNX Runtime fails on it, or needs more memory than is allowed.
    """
    try:
        return list(session.run(names, given))
    except Exception as error:  # ONNX Runtime raises its own classes, which share no base but Exception
        if exhausted(error):
            raise ArtifactError(f"it cannot be updated: {exhausted_reason()}") from None
        told = shortened(" ".join(str(error).split()), 120)
        raise ArtifactError(f"it cannot be updated: ONNX Runtime failed on a part of its graph ({told})") from None


def layers_of(model: bytes) -> list[int]:
    """The layers whose maps a graph's head receives, ascending.

    Raises:
        ArtifactError: the artifact was not trained to be updated.
    """
    names = [name.removeprefix(_LAYER) for name in named_values(model, _LAYER)]
    layers = sorted(int(name) for name in names if name.removeprefix("-").isdecimal() and len(name) < 6)
    if not layers:
        raise ArtifactError("it was not trained to be updated: train it again with --state")
    return layers


def kept(name: str, content_hash: str, group: int, seen: Seen) -> Kept:
    """Convert one photograph's features to half precision, for keeping."""
    halves = {
        layer: np.clip(maps, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16) for layer, maps in seen.maps.items()
    }
    return Kept((name,), (content_hash,), (group,), halves, seen.inside)
