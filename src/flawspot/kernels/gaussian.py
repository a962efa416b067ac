"""One Gaussian per position: streaming sums and the inverse of the Cholesky factor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class PositionGaussians:
    """Mean and covariance of vectors at each of P positions, accumulated over batches of images.

    The sums are kept in float64 relative to the first batch's mean, so that they lose nothing to cancellation; at
    56 x 56 positions of 62 channels they take 97 MB however many images there are.
    """

    def __init__(self, positions: int, channels: int) -> None:
        self.count = 0
        self._origin: NDArray[np.float64] | None = None
        self._sum = np.zeros((positions, channels))
        self._outer = np.zeros((positions, channels, channels))

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Take in (P, B, C): the vectors of B images at P positions."""
        if self._origin is None:
            self._origin = vectors.mean(axis=1, dtype=np.float64)  # (P, C)
        shifted = vectors - self._origin[:, None].astype(np.float32)  # (P, B, C)
        self.count += vectors.shape[1]
        self._sum += shifted.sum(axis=1, dtype=np.float64)
        self._outer += np.matmul(shifted.transpose(0, 2, 1), shifted)

    def mean(self) -> NDArray[np.float64]:
        """(P, C)."""
        assert self._origin is not None, "no vectors added"
        # The origin that was subtracted is its float32 rounding.
        return self._origin.astype(np.float32) + self._sum / self.count

    def covariance(self, ridge: float) -> NDArray[np.float64]:
        """(P, C, C): the unbiased sample covariance plus `ridge` on the diagonal (one image: the ridge alone)."""
        mean = self._sum / self.count
        scatter = self._outer - self.count * mean[:, :, None] * mean[:, None, :]
        covariance = scatter / max(self.count - 1, 1)
        diagonal = np.arange(covariance.shape[1])
        covariance[:, diagonal, diagonal] += ridge
        return covariance


def whitening(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P, C, C) covariances -> (P, C, C) lower triangular W = L^-1 with L L^T = covariance.

    The Mahalanobis distance of x is then the length of ``W (x - mean)``, without an inversion per image.
    """
    return np.linalg.inv(np.linalg.cholesky(covariance))
