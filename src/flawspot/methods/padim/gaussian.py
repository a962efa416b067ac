"""One Gaussian per position: streaming sums, and the inverse of the Cholesky factor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError
from flawspot.methods.padim.bands import band_rows, unpack

POSITIONS = 256
"""Positions whose covariances are factorized at once: bounds the full matrices at 256 x 62 x 62 x 8 bytes = 8 MB."""

MOST_IMAGES = 1 << 53
"""Largest number of images that float64 counts exactly."""


class PositionGaussians:
    """Mean and covariance of vectors at each of P positions, accumulated over batches of images.

    The sums are stored in float64 relative to the first batch's mean, to avoid cancellation. Of symmetric ones only the
    lower half is stored, in bands. At 56 x 56 positions of 62 channels they take 54 MB for any number of images; the
    variances alone (`diagonal`) take 1.6 MB.
    """

    def __init__(self, positions: int, channels: int, *, diagonal: bool = False) -> None:
        self.count = 0
        self.diagonal = diagonal
        self._origin: NDArray[np.float32] | None = None
        self._sum = np.zeros((positions, channels))
        shapes = [(channels,)] if diagonal else [(stop - start, stop) for start, stop in band_rows(channels)]
        self._squares = [np.zeros((positions, *shape)) for shape in shapes]

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Add (P, B, C): the vectors of B images at P positions."""
        if self._origin is None:
            self._origin = vectors.mean(axis=1, dtype=np.float64).astype(np.float32)  # (P, C)
        shifted = vectors - self._origin[:, None]  # (P, B, C)
        self.count += vectors.shape[1]
        self._sum += shifted.sum(axis=1, dtype=np.float64)
        if self.diagonal:
            self._squares[0] += np.square(shifted, dtype=np.float64).sum(axis=1)
            return
        across = np.ascontiguousarray(shifted.transpose(0, 2, 1))  # (P, C, B)
        for (start, stop), band in zip(band_rows(shifted.shape[2]), self._squares, strict=True):
            band += across[:, start:stop] @ shifted[:, :, :stop]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The sums by name, for `of_arrays`. Sums of squares are rounded to float32, which halves their size. They are
        relative to the first batch's mean, so the error is negligible compared with the ridge."""
        assert self._origin is not None, "no vectors added"
        squares = {f"squares.{place}": band.astype(np.float32) for place, band in enumerate(self._squares)}
        return {"count": np.array([self.count], np.int64), "origin": self._origin, "sum": self._sum, **squares}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Restore from the result of `arrays`.

        Raises:
            ArtifactError: `arrays` are not such a result.
        """
        try:
            total, count = arrays["sum"], int(arrays["count"][0])
            found = cls(*total.shape, diagonal=arrays["squares.0"].ndim == 2)
            squares = [arrays[f"squares.{place}"] for place in range(len(found._squares))]
            shapes = [band.shape for band in found._squares]
            if [band.shape for band in squares] != shapes or arrays["origin"].shape != total.shape:
                raise ValueError
            if not 1 <= count < MOST_IMAGES:
                raise ValueError
        except (KeyError, IndexError, ValueError, TypeError):
            raise ArtifactError("its sums do not belong together: it is damaged") from None
        found.count, found._origin = count, arrays["origin"].astype(np.float32)
        found._sum = total.astype(np.float64)
        found._squares = [band.astype(np.float64) for band in squares]
        return found

    def mean(self) -> NDArray[np.float64]:
        """(P, C)."""
        assert self._origin is not None, "no vectors added"
        return self._origin + self._sum / self.count

    def variance(self) -> NDArray[np.float64]:
        """(P, C): the unbiased sample variances (one image: zeros)."""
        if self.diagonal:
            squares = self._squares[0]
        else:
            rows = band_rows(self._sum.shape[1])
            diagonals = [
                np.diagonal(band[:, :, start:], axis1=1, axis2=2)
                for (start, _), band in zip(rows, self._squares, strict=True)
            ]
            squares = np.concatenate(diagonals, axis=1)
        # Rounding may leave a constant channel slightly below zero.
        return np.maximum(squares - self._sum**2 / self.count, 0) / max(self.count - 1, 1)

    def covariance(self, ridge: float, positions: slice = slice(None)) -> NDArray[np.float64]:
        """(P, C, C): the unbiased sample covariance plus `ridge` on the diagonal (one image: the ridge alone).

        For all positions at once this is 96 MB at 56 x 56 positions of 62 channels, so ask for some at a time.
        """
        assert not self.diagonal, "only variances were accumulated"
        total = self._sum[positions]
        covariance = unpack([band[positions] for band in self._squares])
        rows, columns = np.tril_indices(covariance.shape[1], -1)
        covariance[:, columns, rows] = covariance[:, rows, columns]
        covariance -= total[:, :, None] * (total[:, None, :] / self.count)
        covariance /= max(self.count - 1, 1)
        diagonal = np.arange(covariance.shape[1])
        covariance[:, diagonal, diagonal] += ridge
        return covariance

    def whitening_bands(self, ridge: float, dtype: type[np.floating] = np.float32) -> list[NDArray[np.floating]]:
        """(P, rows, columns) of each band of `whitening`, some positions at a time."""
        positions, channels = self._sum.shape
        bands = [np.empty((positions, stop - start, stop), dtype) for start, stop in band_rows(channels)]
        for first in range(0, positions, POSITIONS):
            some = slice(first, first + POSITIONS)
            inverse = whitening(self.covariance(ridge, some))
            for (start, stop), band in zip(band_rows(channels), bands, strict=True):
                band[some] = inverse[:, start:stop, :stop]
        return bands


def whitening(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P, C, C) covariances -> (P, C, C) lower triangular W = L^-1 with L L^T = covariance.

    The Mahalanobis distance of x is then the length of ``W (x - mean)``, without an inversion for each image.
    """
    return np.tril(np.linalg.inv(np.linalg.cholesky(covariance)))
