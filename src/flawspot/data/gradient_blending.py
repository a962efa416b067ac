"""Inserts a rectangle of one photograph into another without a visible edge: Poisson image editing.

Perez, Gangnet and Blake, SIGGRAPH 2003, equation 3 with the gradients of the piece. On a rectangle the discrete
equation is solved exactly by sine transforms. They are products with small matrices here, so only numpy is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def blended(place: NDArray[np.float32], piece: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blend a piece into a place. The outermost pixels of `place` do not change.

    Args:
        place: (H, W, C), the present pixels; at least 3 x 3.
        piece: of the same shape.

    Returns:
        (H, W, C): inside, the differences between neighbours are those of the piece, as nearly as the border allows.
    """
    height, width = place.shape[0], place.shape[1]
    if height < 3 or width < 3:
        return place.copy()
    # The result is piece + correction. The correction is harmonic, and its border is place - piece.
    border = (place - piece).astype(np.float64)
    border[1:-1, 1:-1] = 0
    right = border[:-2, 1:-1] + border[2:, 1:-1] + border[1:-1, :-2] + border[1:-1, 2:]
    down, across = _sines(height - 2), _sines(width - 2)
    values = _eigenvalues(height - 2)[:, None] + _eigenvalues(width - 2)[None, :]
    transformed = np.einsum("ab,bcx->acx", down, np.einsum("abx,bc->acx", right, across, optimize=True), optimize=True)
    solved = np.einsum(
        "ab,bcx->acx", down, np.einsum("abx,bc->acx", transformed / values[:, :, None], across, optimize=True)
    )
    result = place.astype(np.float32, copy=True)
    result[1:-1, 1:-1] = piece[1:-1, 1:-1] + solved.astype(np.float32)
    return result


def _sines(count: int) -> NDArray[np.float64]:
    """The eigenvectors of the second difference with zeros beyond both ends. The matrix is symmetric and its own
    inverse."""
    numbers = np.arange(1, count + 1)
    return np.asarray(np.sqrt(2 / (count + 1)) * np.sin(np.pi * np.outer(numbers, numbers) / (count + 1)))


def _eigenvalues(count: int) -> NDArray[np.float64]:
    return np.asarray(2 - 2 * np.cos(np.pi * np.arange(1, count + 1) / (count + 1)))
