"""Keeps photographs that an evaluation has decoded for later steps of the run."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.data.folders import Sample
from flawspot.evaluation import Alteration
from flawspot.runtime.images import read_image

BOUND = 64 << 20
"""Most bytes of photographs that are kept in addition to the wanted ones."""


class SeenPhotographs:
    """Keeps test photographs as decoded, before any alteration. Others are read again."""

    def __init__(self, wanted: Collection[Path], bound: int = BOUND) -> None:
        """Args: `wanted` photographs are always kept, others up to `bound` bytes in total."""
        self._wanted, self._left = frozenset(wanted), bound
        self._kept: dict[Path, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()  # photographs are decoded in several threads

    def before(self, alter: Alteration | None) -> Alteration:
        """The alteration `alter`, or none, preceded by keeping each photograph (H, W, 3)."""

        def keep(
            sample: Sample, image: NDArray[np.uint8], mask: NDArray[np.bool_]
        ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
            self._keep(sample.path, image)
            return (image, mask) if alter is None else alter(sample, image, mask)

        return keep

    def photograph(self, path: Path) -> NDArray[np.uint8]:
        """The photograph, (H, W, 3), kept or read again.

        Raises:
            ImageError: it was not kept and cannot be read.
        """
        kept = self._kept.get(path)
        return read_image(path) if kept is None else kept

    def _keep(self, path: Path, image: NDArray[np.uint8]) -> None:
        with self._lock:
            if path not in self._wanted:
                if image.nbytes > self._left:
                    return
                self._left -= image.nbytes
            self._kept[path] = image
