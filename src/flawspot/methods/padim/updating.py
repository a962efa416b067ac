"""Updates PaDiM: adds to its counts, sums and sums of products, from which everything is computed.

This is exact: mean and covariance of old and new photographs together come from the same sums in any order (Chan, Golub
and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979). The kept channels stay
the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError
from flawspot.methods.padim.gaussian import PositionGaussians
from flawspot.methods.padim.whitening import whitened
from flawspot.methods.repeating import repeated
from flawspot.methods.updating import Before, Changed, Maps, added_photographs
from flawspot.runtime.state import Kept

METHODS = ("padim",)
_CHOSEN = "chosen."


class Updater:
    """Adds photographs to the Gaussians of every position."""

    needs_torch: ClassVar[bool] = False

    def __init__(self, before: Before) -> None:
        """Read the sums.

        Raises:
            ArtifactError: they are damaged, or belong to another detector.
        """
        self._before = before
        self._gaussians = PositionGaussians.of_arrays(before.learned)
        self._chosen = {
            int(name.removeprefix(_CHOSEN)): array
            for name, array in before.learned.items()
            if name.startswith(_CHOSEN) and name.removeprefix(_CHOSEN).isdecimal()
        }
        self._stores = before.stores()
        mean = self._stores.get("mean")
        if not self._chosen or mean is None or mean.T.shape != self._gaussians.mean().shape:
            raise ArtifactError("it is not the state of such a detector: it is damaged")
        self._before_count = self._gaussians.count

    def add(self, maps: Maps, inside: NDArray[np.bool_] | None) -> None:
        """Add one photograph. The rest, not inspected, has the same colour in every photograph and does no harm."""
        grid = max((maps[tap].shape[2:] for tap in maps), key=lambda shape: shape[0] * shape[1])
        vectors = embedded(maps, self._chosen, (grid[0], grid[1]))  # (T, d, P)
        tiles, kept, positions = vectors.shape
        self._gaussians.add(vectors.transpose(0, 2, 1).reshape(tiles * positions, 1, kept))

    def finish(self, new_validation: Kept) -> Changed:
        """Means and whitening of all photographs together."""
        settings = self._before.manifest.hyperparameters
        covariance, ridge, rank = str(settings["covariance"]), settings["ridge"], settings["rank"]
        assert isinstance(ridge, int | float) and isinstance(rank, int)
        turned, names = "turned0" in self._stores, {"full": self._bands(), "diagonal": ["scale"]}
        own = names.get(covariance, ["scale", "factors"])
        with self._before.progress.step("inverting the covariances"):
            dtype = self._stores[own[0]].dtype.type
            found = whitened(self._gaussians, covariance, ridge, rank, dtype)
        if covariance != "full":
            found[0] = found[0].T
        elif turned:
            found = [band.transpose(0, 2, 1) for band in found]
        changed = {"mean": self._gaussians.mean().astype(np.float32).T, **dict(zip(own, found, strict=True))}
        count = self._gaussians.count
        added = added_photographs(count - self._before_count, self._before)
        told = f"{added} to the {self._before_count} of every Gaussian"
        learned = {name: array for name, array in self._before.learned.items() if name.startswith(_CHOSEN)}
        prefix = self._before.prefix
        stores = {prefix + name: np.ascontiguousarray(array) for name, array in changed.items()}
        return Changed(stores, {**self._gaussians.arrays(), **learned}, [told])

    def _bands(self) -> list[str]:
        """Names of the bands' constants, in order: transposed ones, or the untransposed ones of older graphs."""
        name = "turned" if "turned0" in self._stores else "band"
        found = [each for each in self._stores if each.startswith(name)]
        return [f"{name}{index}" for index in range(len(found))]


def embedded(maps: Maps, chosen: Mapping[int, NDArray[Any]], grid: tuple[int, int]) -> NDArray[np.float32]:
    """Vectors at each position, equal to those of `flawspot.methods.padim.selection.embed` in the graph.

    Args:
        maps: {tap: (T, C_tap, H, W)}.
        chosen: for each tap the indices of its channels, or a (d, C_tap) matrix that multiplies them.
        grid: height and width of the finest map.

    Returns:
        (T, d, P).
    """
    parts = []
    for tap, own in chosen.items():
        flat = maps[tap].reshape(*maps[tap].shape[:2], -1)  # (T, C_tap, H W)
        part = flat[:, own] if own.ndim == 1 else own.astype(np.float32) @ flat
        parts.append(repeated(part.reshape(*part.shape[:2], *maps[tap].shape[2:]), grid))
    if next(iter(chosen.values())).ndim == 1:
        return np.concatenate(parts, axis=1)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
