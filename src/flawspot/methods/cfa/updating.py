"""Updates CFA: the centre of each position becomes the mean over old and new photographs together, and the trained
descriptor is trained further.

The centres are exact, because they are means of the untrained descriptor's outputs, and that descriptor is stored. They
need no torch. The descriptor needs it (`flawspot.methods.cfa.going_on`), and kept features of old photographs. Without
one of these it stays as it was, and the update says so.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError
from flawspot.extras import missing_package
from flawspot.methods.cfa.turned import turned
from flawspot.methods.covering import cells_inside
from flawspot.methods.repeating import bilinear_matrix, pooled
from flawspot.methods.shapes import Size
from flawspot.methods.updating import Before, Changed, Maps, added_photographs
from flawspot.runtime.seen import Seen, kept
from flawspot.runtime.state import Kept, stacked
from flawspot.texts import shortened

METHODS = ("cfa",)
FIRST = ("weight", "position", "bias")
"""(D, D), (D, 2), (D,): the descriptor before training."""
POSITION, BIAS, BASIS = "trained position", "trained bias", "basis"
"""(D, 2), (D,): parts of the trained descriptor; (D, D): its rotation."""
WEIGHT, RADIUS = "trained weight", "radius"
"""(D, D) of the trained descriptor, and (1,): with these it is trained further. States kept none before 2026-11-27."""
CENTRES, IMAGES = "centres", "images"
"""(M, D): the centres; (P,): the number of images in the mean of each position, 0 for a position without a centre."""
_SEARCH = "search."
_CHUNK = 448
"""Number of centres in a part. Older graphs divide the constants that depend on the centres into such parts."""
_NEAR = 1e-3
"""Largest difference between a constant of the graph and of the state, relative to the constant's largest number."""


class Updater:
    """Adds photographs to the centres."""

    needs_torch: ClassVar[bool] = False

    def __init__(self, before: Before) -> None:
        """Read the centres, and check that they are those of the graph.

        Raises:
            ArtifactError: they are damaged, or belong to another detector.
        """
        self._before = before
        stores, learned = before.stores(), before.learned
        self._stores = {name.removeprefix(_SEARCH): array for name, array in stores.items()}
        names = {*FIRST, POSITION, BIAS, BASIS, CENTRES, IMAGES}
        followed = {"norms", "norms_0"} & self._stores.keys()
        if not names <= learned.keys() or not followed or not {"centres", "mixing0"} <= self._stores.keys():
            raise ArtifactError("it is not the state of such a detector: it is damaged")
        size = self._stores["centres"].shape[1]
        self._known = learned[IMAGES] > 0
        count = int(self._known.sum())
        want = {"weight": (size, size), "position": (size, 2), "bias": (size,), POSITION: (size, 2), BIAS: (size,)}
        want |= {BASIS: (size, size), CENTRES: (count, size), IMAGES: (self._known.size,)}
        want |= {name: shape for name, shape in {WEIGHT: (size, size), RADIUS: (1,)}.items() if name in learned}
        if any(learned[name].shape != shape for name, shape in want.items()):
            raise ArtifactError("its state has other shapes than its graph: it is damaged")
        if not all(np.isfinite(learned[name]).all() for name in want):
            raise ArtifactError("its state holds numbers that are none: it is damaged")
        self._images = learned[IMAGES].astype(np.int64)
        self._total = np.zeros((len(self._known), size))
        self._total[self._known] = learned[CENTRES].astype(np.float64) * self._images[self._known, None]
        self._added = 0
        self._descent: Any = None
        self._stays = self._reason_to_stay()
        self._new: list[Kept] = []
        for name, array in self._constants(learned, learned[CENTRES]).items():
            there = self._stores[name]
            if there.shape != array.shape or there.dtype != array.dtype:
                raise ArtifactError(f"its graph has another {name} than its state says: it is of another training")
            _check_near(name, there, array)
        if WEIGHT in learned:
            self._check_descriptor()

    def add(self, maps: Maps, inside: NDArray[np.bool_] | None) -> None:
        """Add the inspected part of one photograph. A position that was never inspected before gets no centre."""
        grids: list[Size] = [(each.shape[2], each.shape[3]) for each in maps.values()]
        grid = max(grids, key=lambda size: size[0] * size[1])
        described = self._described(maps, grid, inside)  # (T, P, D)
        if described.shape[1] != len(self._images):
            raise ArtifactError("its centres are of other positions than its features: it is damaged")
        if inside is None:
            self._total += described.sum(0)
            self._images += len(described)
        else:
            cells = cells_inside(inside, grid).reshape(len(described), -1)
            self._total += np.where(cells[:, :, None], described, 0).sum(0)
            self._images += cells.sum(0)
        self._added += 1
        if not self._stays:
            self._new.append(kept("", "", 0, Seen(maps, inside)))

    def finish(self, new_validation: Kept) -> Changed:
        """The new centres and the descriptor in the constants of the old ones."""
        known, learned = self._known, dict(self._before.learned)
        centres = (self._total[known] / self._images[known, None]).astype(np.float32)
        moved = float(np.linalg.norm(centres - learned[CENTRES], axis=1).mean())
        added = added_photographs(self._added, self._before)
        spread = float(np.linalg.norm(centres - centres.mean(0), axis=1).mean())
        share = f"{moved / spread:.2g} of their distance from their mean" if spread else f"{moved:.4g}"
        told = [f"{added} to {len(centres)} centres, which moved by {share} on average"]
        constants: dict[str, NDArray[Any]] = {}
        if self._new:
            descriptor = self._descent.gone_on(stacked(self._new), centres)
            learned |= descriptor.learned
            constants = descriptor.constants
            told.append(descriptor.told)
        elif self._stays:
            told.append(f"the descriptor stays: {self._stays}")
        prefix = self._before.prefix + _SEARCH
        constants |= self._constants(learned, centres)
        stores = {prefix + name: array for name, array in constants.items() if name in self._stores}
        images = np.where(known, self._images, 0)
        return Changed(stores, {**learned, CENTRES: centres, IMAGES: images}, told)

    def _reason_to_stay(self) -> str:
        """Why the descriptor is not trained further; empty if it is."""
        before = self._before
        if not {WEIGHT, RADIUS} <= before.learned.keys() or not len(before.replay):
            return "training kept nothing to train it further with"
        try:
            self._descent = importlib.import_module("flawspot.methods.cfa.going_on").Descent(before)
        except (ImportError, OSError) as error:
            missing = missing_package(error, "training it further") if isinstance(error, ModuleNotFoundError) else None
            told = shortened(" ".join(str(error).split()), 80)  # torch is there, and cannot be loaded
            return str(missing or f"what trains it further cannot be loaded: {told}")
        return ""

    def _check_descriptor(self) -> None:
        """Check that the trained descriptor is the graph's, up to the order of its channels, which only features tell.

        Raises:
            ArtifactError: it is another one.
        """
        learned = self._before.learned
        levels: list[NDArray[Any]] = []
        basis = learned[BASIS].astype(np.float64)
        while f"mixing{len(levels)}" in self._stores:
            levels.append(self._stores[f"mixing{len(levels)}"])  # (C, reach)
        parts = [basis[:, : level.shape[1]] @ level.T for level in levels]
        there, weight = np.concatenate(parts, 1), learned[WEIGHT].astype(np.float64)
        _check_near(WEIGHT, there @ there.T, weight @ weight.T)
        if "position" in self._stores:
            _check_near(POSITION, self._stores["position"], (basis.T @ learned[POSITION]).T)

    def _constants(self, learned: Mapping[str, NDArray[Any]], centres: NDArray[np.floating]) -> dict[str, NDArray[Any]]:
        """The constants that the graph has. With only one resolution there are no slopes."""
        fine, halved = self._stores["mixing0"].shape[1], self._stores["centres"].dtype == np.float16
        found = turned(learned[BASIS], learned[POSITION], learned[BIAS], centres, fine, halved)
        for name in ("norms", "rows", "columns"):
            starts = range(0, found[name].shape[-1], _CHUNK)
            found |= {f"{name}_{place}": found[name][..., at : at + _CHUNK] for place, at in enumerate(starts)}
        return {name: array for name, array in found.items() if name in self._stores}

    def _described(self, maps: Maps, grid: Size, inside: NDArray[np.bool_] | None) -> NDArray[np.floating]:
        """(T, P, D): the description of each patch by the untrained descriptor."""
        weight, position, bias = (self._before.learned[name] for name in FIRST)
        axes = [np.linspace(-1, 1, length, dtype=np.float32) for length in grid]
        where = np.stack(np.meshgrid(*axes, indexing="ij"), axis=2)  # (gh, gw, 2)
        described = where @ position.T + bias
        start = 0
        for each in maps.values():
            own: Size = (each.shape[2], each.shape[3])
            cells = None if inside is None else cells_inside(inside, own)
            part = weight[:, start : start + each.shape[1]]
            start += each.shape[1]
            product = pooled(each, cells).transpose(0, 2, 3, 1) @ part.T  # (T, H, W, D)
            if own != grid:
                down, across = (bilinear_matrix(*pair).astype(np.float32) for pair in zip(own, grid, strict=True))
                product = across @ np.einsum("gh,thwd->tgwd", down, product)
            described = described + product
        if start != weight.shape[1]:
            raise ArtifactError("its features are of other channels than its state: it is damaged")
        patches: NDArray[np.floating] = described.reshape(len(described), -1, described.shape[-1])
        return patches


def _check_near(name: str, there: NDArray[Any], ours: NDArray[Any]) -> None:
    """Check that a constant of the graph is that of the state.

    Raises:
        ArtifactError: it is not.
    """
    if not np.abs(there - ours).max(initial=0) <= _NEAR * max(float(np.abs(ours).max(initial=0)), 1e-6):
        raise ArtifactError(f"its graph has another {name} than its state: it is of another training")
