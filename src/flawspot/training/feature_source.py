"""Everything that affects the features of a set of photographs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flawspot.quantization.steps import Quantization
from flawspot.runtime.images import WHITE
from flawspot.runtime.reduced import Decoded, prepare, read_photograph
from flawspot.runtime.view import View

if TYPE_CHECKING:
    from flawspot.data.varying import Varying
    from flawspot.training.configuration import Configuration
    from flawspot.training.pasting import Pasting
    from flawspot.training.photographs import Photographs

FORMAT = 4
"""Increased whenever the same key would mean other numbers, for example by another decoding or layout."""


@dataclass(frozen=True)
class FeatureSource:
    """Everything that affects the features of a set of photographs, besides the layer.

    Attributes:
        images: M readable photographs, in the order of their rows. If they are varied, these are N photographs,
            followed by their first copies in the same order, and so on.
        root: folder of the photographs, which may change between runs.
        fingerprint: `flawspot.data.folders.fingerprint` of the photographs' contents and names.
        weights: identity of the backbone's weights: the sha256 of their file, or words that identify them equally well.
        view: the view of a photograph: T tiles. Rows n T to n T + T - 1 are those of photograph n.
        mean, std: the normalisation of RGB / 255.
        white: value of white in photographs of 16 bits.
        quantization: quantization of the backbone; None for float.
        pasting: the pasted defects; None for none.
        varying: the variation that makes the copies; None without copies.
        turn: number of quarter turns of the photographs, anticlockwise.
    """

    images: tuple[Path, ...]
    root: Path
    fingerprint: str
    weights: str
    view: View
    mean: Sequence[float]
    std: Sequence[float]
    white: int = WHITE
    quantization: Quantization | None = None
    pasting: Pasting | None = None
    varying: Varying | None = None
    turn: int = 0

    def read(self, row: int) -> Decoded:
        """Photograph `row` in the form of the network's input.

        Raises:
            ImageError: it cannot be read any more.
        """
        if self.pasting is not None:
            return self.pasting.read(row)
        copy = 0 if self.varying is None else row // self._photographs
        if self.varying is not None and copy:
            photograph = self.varying.read(self.images[row], copy)
        else:
            photograph = read_photograph(self.images[row], self.view, white=self.white)
        if not self.turn:
            return photograph
        return prepare(np.ascontiguousarray(np.rot90(photograph.pixels, self.turn)), self.view)

    @property
    def _photographs(self) -> int:
        """N, without copies."""
        return len(self.images) if self.varying is None else len(self.images) // (1 + self.varying.copies)

    def with_copies(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of photographs, followed by those of their first copies, and so on: all rows for training."""
        copies = 0 if self.varying is None else self.varying.tolerance.copies
        return (rows + self._photographs * np.arange(1 + copies)[:, None]).ravel()

    def with_farthest(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of photographs, followed by those of the copies that set the threshold, if they are varied."""
        if self.varying is None:
            return rows
        return np.concatenate([rows, rows + self._photographs * self.varying.farthest])

    def key(self, backbone: str, layer: int, dtype: str) -> str:
        """SHA-256, in hex, of this source and of the features' backbone, layer and type."""
        names = [path.relative_to(self.root).as_posix() for path in self.images]
        seen: Any = self.view.height if self.view.plain else dataclasses.asdict(self.view)
        preprocessing: list[Any] = [seen, list(self.mean), list(self.std), self.white]
        if self.quantization is not None:
            preprocessing.append(self.quantization.identity())
        if self.pasting is not None:
            preprocessing.append(self.pasting.identity())
        if self.varying is not None:
            preprocessing.append(self.varying.identity())
        if self.turn:
            preprocessing.append(["turned", self.turn])
        made = [backbone, self.weights, layer, dtype, FORMAT, metadata.version("flawspot")]
        return hashlib.sha256(json.dumps([self.fingerprint, names, preprocessing, made]).encode()).hexdigest()


def feature_source(
    chosen: Configuration,
    photographs: Photographs,
    rows: NDArray[np.int64],
    quantization: Quantization | None,
    varying: Varying | None = None,
) -> FeatureSource:
    """The source of some of the photographs, and of their copies if they are varied."""
    copies = 0 if varying is None else varying.copies
    return FeatureSource(
        images=tuple(photographs.images[row] for row in rows) * (1 + copies),
        root=photographs.root,
        fingerprint=photographs.fingerprint,
        weights=chosen.weights_identity,
        view=chosen.view,
        mean=chosen.mean,
        std=chosen.std,
        white=photographs.white,
        quantization=quantization,
        varying=varying,
    )
