"""The centres in the graph's form (`flawspot.methods.cfa.centres`), in numpy: rotated, and relative to their mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.methods.shapes import Size

_Wide = NDArray[np.floating]


@dataclass(frozen=True)
class Turning:
    """The decomposition of a description, ``W = Q R``.

    Attributes:
        order: order of the maps, from the finest to the coarsest.
        basis: Q, (D, D).
        mixing: R, (D, D), its columns in that order.
    """

    order: list[int]
    basis: _Wide
    mixing: _Wide


def turning(weight: _Wide, shapes: Sequence[tuple[int, Size]]) -> Turning:
    """The rotation of a description's components.

    Args:
        weight: (D, D), the description of concatenated features.
        shapes: (C_l, (H_l, W_l)) of each map, in the order of its columns.
    """
    starts = np.cumsum([0, *(channels for channels, _ in shapes)])
    order = sorted(range(len(shapes)), key=lambda index: -math.prod(shapes[index][1]))
    columns = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in order])
    return Turning(order, *np.linalg.qr(np.asarray(weight, np.float64)[:, columns]))


@dataclass(frozen=True)
class Resolution:
    """The maps of one resolution.

    Attributes:
        members: the maps, by their place among all.
        grid: their size.
        start, reach: the components of a turned description from `start` to `reach` are affected by them and by no
            coarser ones; all before `reach` by them or by finer ones.
    """

    members: list[int]
    grid: Size
    start: int
    reach: int


def resolutions(order: Sequence[int], shapes: Sequence[tuple[int, Size]]) -> list[Resolution]:
    """The resolutions of maps (C_l, (H_l, W_l)), the finest first; `order` is that of `Turning`."""
    found, end = [], 0
    for grid, group in groupby(order, key=lambda index: shapes[index][1]):
        members = list(group)
        start, end = end, end + sum(shapes[index][0] for index in members)
        found.append(Resolution(members, grid, start, end))
    return found


def describing(found: Turning, levels: Sequence[Resolution], position: _Wide) -> dict[str, NDArray[np.float32]]:
    """The constants of a graph that describe a patch: (C, reach) of each resolution, and (2, D) of the position."""
    mixing = {
        f"mixing{number}": found.mixing[: level.reach, level.start : level.reach].T
        for number, level in enumerate(levels)
    }
    every = {**mixing, "position": (found.basis.T @ position).T}
    return {name: np.ascontiguousarray(array).astype(np.float32) for name, array in every.items()}


def turned(
    basis: _Wide, position: _Wide, bias: _Wide, centres: _Wide, fine: int, halved: bool
) -> dict[str, NDArray[Any]]:
    """The constants of a graph that depend on the centres, by their names, at their stored precision.

    These are the centres, the bias, the squared lengths (M,), and the products with the coordinates' vectors, (1, M)
    each.

    Args:
        basis: Q.
        position: (D, 2), coefficients of the patch's row and column in [-1, 1].
        bias: (D,).
        centres: (M, D), not rotated.
        fine: number of components that the maps of the finest resolution affect.
        halved: whether centres are stored in half precision. Distances are those to the stored ones.
    """
    moved = np.asarray(centres, np.float64) @ basis
    middle = moved.mean(0)
    moved -= middle
    if halved:
        moved = moved.astype(np.float16).astype(np.float64)
    norms = (moved**2).sum(1)  # (M,)
    slopes = (moved[:, fine:] @ (basis.T @ position)[fine:]).T  # (2, M): products with V
    return {
        "centres": moved.astype(np.float16 if halved else np.float32),
        "bias": (basis.T @ bias - middle).astype(np.float32),
        "norms": norms.astype(np.float32),
        "rows": slopes[:1].astype(np.float32),
        "columns": slopes[1:].astype(np.float32),
    }
