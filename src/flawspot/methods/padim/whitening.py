"""Whitening with Gaussians: bands of triangles, deviations, or a few principal factors and a diagonal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flawspot.methods.padim.gaussian import POSITIONS, PositionGaussians


def principal_factors(
    gaussians: PositionGaussians, ridge: float, rank: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Approximate each covariance S + ridge I by ``D + U U^T`` and return its whitening.

    The columns of U are the `rank` largest eigenvectors of the sample covariance S, each times the root of its
    eigenvalue (principal factor analysis, without iteration). D is the rest of the diagonal, at least the ridge, so
    that every variance is exact.

    With ``V diag(s^2) V^T`` the eigendecomposition of ``D^-1/2 U U^T D^-1/2``, the inverse of ``D + U U^T`` is
    ``D^-1/2 (I - V diag(s^2 / (1 + s^2)) V^T) D^-1/2`` (Woodbury), and its symmetric root
    ``I - V diag(1 - (1 + s^2)^-1/2) V^T = I - F F^T`` times ``D^-1/2``. So the distance of x is
    ``|z - F F^T z|`` with ``z = D^-1/2 (x - mean)``. Unlike Woodbury's formula, it has no difference of large numbers.

    Returns:
        (P, C): the diagonal of D^-1/2; (P, C, rank): F.
    """
    means = gaussians.mean()
    positions, channels = means.shape
    scales = np.empty((positions, channels), np.float32)
    factors = np.empty((positions, channels, rank), np.float32)
    for first in range(0, positions, POSITIONS):
        some = slice(first, first + POSITIONS)
        covariance = gaussians.covariance(0.0, some)
        values, vectors = np.linalg.eigh(covariance)
        loadings = vectors[:, :, -rank:] * np.sqrt(np.maximum(values[:, None, -rank:], 0))  # (p, C, rank)
        rest = np.diagonal(covariance, axis1=1, axis2=2) - np.square(loadings).sum(axis=2)
        scale = 1 / np.sqrt(np.maximum(rest, 0) + ridge)  # (p, C)
        scaled = loadings * scale[:, :, None]
        squared, turn = np.linalg.eigh(scaled.transpose(0, 2, 1) @ scaled)  # s^2, (p, rank, rank)
        squared = np.maximum(squared, 1e-12)[:, None, :]
        shrink = 1 - 1 / np.sqrt(1 + squared)
        scales[some] = scale
        factors[some] = (scaled @ turn) * np.sqrt(shrink / squared)
    return scales, factors


def whitened(
    gaussians: PositionGaussians, covariance: str, ridge: float, rank: int, dtype: type[np.floating]
) -> list[NDArray[np.floating]]:
    """The arrays that a detector stores besides the means.

    Args:
        gaussians: Gaussians at P positions of C channels.
        covariance: ``full``, ``diagonal`` or ``low_rank``.
        ridge: added to each variance.
        rank: number of factors of ``low_rank``.
        dtype: type of the stored numbers.

    Returns:
        The bands of ``full``, (P, rows, columns) each; the scale (P, C) of ``diagonal``; scale and factors (P, C, rank)
        of ``low_rank``.
    """
    if covariance == "full":
        return gaussians.whitening_bands(ridge, dtype)
    if covariance == "diagonal":
        return [(1 / np.sqrt(gaussians.variance() + ridge)).astype(dtype)]
    return [part.astype(dtype) for part in principal_factors(gaussians, ridge, rank)]
