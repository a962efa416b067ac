"""Decodes the rows of a memory bank from the constants of a graph, and encodes them in place, in numpy.

`flawspot.methods.patchcore.stored_rows` is their form in the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError

Stores = Mapping[str, NDArray[Any]]
SMALLEST_STEP = 1e-12
FAR = 1e12
"""Squared length stored for a free row: every patch is nearer to any other row."""


def decoded(stores: Stores, name: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rows (R, C) relative to the bank's mean, and which of them are used, (R,).

    Raises:
        ArtifactError: there are no rows of that name in a form that can be changed.
    """
    augmented, rows, norms, steps = (stores.get(f"{name}.{part}") for part in ("augmented", "rows", "norms", "steps"))
    if augmented is not None:
        return np.float32(-0.5) * augmented[:, :-1], augmented[:, -1] < FAR / 2
    if rows is None or norms is None or (rows.dtype == np.int8) != (steps is not None):
        raise ArtifactError(
            "its memory bank is kept in a form that cannot be changed: train it again, with a larger one"
        )
    found = rows.astype(np.float32)
    return found if steps is None else found * steps, norms[:, 0] < FAR / 2


def encoded(stores: Stores, name: str, rows: NDArray[np.float32], taken: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """The constants of a name for new rows.

    Args:
        stores: the old constants.
        name: name of the rows.
        rows: (R, C) relative to the bank's mean, the same number as before.
        taken: (R,) whether each row holds a patch.
    """
    rows = np.where(taken[:, None], rows, np.float32(0))
    if f"{name}.augmented" in stores:
        return {f"{name}.augmented": np.concatenate([-2 * rows, _norms(rows, taken)], axis=1)}
    if stores[f"{name}.rows"].dtype == np.float16:
        stored = rows.astype(np.float16)
        return {f"{name}.rows": stored, f"{name}.norms": _norms(stored.astype(np.float32), taken)}
    # A step grows if a new patch exceeds the old range. Otherwise it stays, and so do the old codes.
    largest = np.abs(rows).max(axis=0, initial=0)
    steps = np.maximum(stores[f"{name}.steps"], np.maximum(largest, SMALLEST_STEP) / np.float32(127))
    steps = steps.astype(np.float32)
    codes = np.clip(np.round(rows / steps), -127, 127).astype(np.int8)
    norms = _norms(codes.astype(np.float32) * steps, taken)
    return {f"{name}.rows": codes, f"{name}.steps": steps, f"{name}.norms": norms}


def _norms(rows: NDArray[np.float32], taken: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(R, 1)."""
    lengths = np.einsum("ij,ij->i", rows, rows)
    return np.where(taken, lengths, np.float32(FAR))[:, None].astype(np.float32)
