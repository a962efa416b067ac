"""Photographs of good parts with pasted defects, for methods that learn from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from flawspot.backbones.block_list import INPUT, BlockList
from flawspot.data.corruptions import corrupt_all, corrupt_mask_all, image_seed
from flawspot.data.finer import no_finer_than_seen
from flawspot.data.reading import at_centres
from flawspot.data.tolerances import Tolerance
from flawspot.data.varied_defects import BASE, FAMILY, MOST, paste_defects
from flawspot.methods.base import Method
from flawspot.methods.features import FeatureSet, PastedSet
from flawspot.progress import SILENT, Progress
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.reduced import Decoded, read_photograph
from flawspot.runtime.view import View
from flawspot.training.graph import Preprocess
from flawspot.training.tiles import inside_tiles

if TYPE_CHECKING:
    from flawspot.training.feature_cache import FeatureCache
    from flawspot.training.feature_source import FeatureSource

FEWEST = 20
"""Photographs at least, however many tiles each has."""
_MOST_DEFECTS = 64


class Pasting:
    """Defects on photographs, the same ones for the same seed.

    Args:
        images: of good parts.
        view: what is seen of them.
        white: of photographs of 16 bits.
        seed: of the defects.
        tiles: how many tiles with defects are wanted; with photographs that are seen whole, how many photographs.
        folds: (N,) fold of each of `images`, from which alone pieces may come into it; None: from any of them.
        tolerance: within which photographs with defects are varied, as many as the good ones; None varies none.

    Attributes:
        photographs: (Q,) which of `images` each one is of.
        pieces_from: (Q,) which of `images` pieces may come from, besides.
        images: Q of them.
        sizes: (width, height) of each as it is given to the network; known with `cover`.
    """

    def __init__(
        self,
        images: Sequence[Path],
        view: View,
        white: int,
        seed: int,
        tiles: int,
        folds: NDArray[np.int64] | None = None,
        tolerance: Tolerance | None = None,
    ) -> None:
        count = max(-(-tiles // view.tiles), min(FEWEST, tiles))
        self.photographs = np.arange(count, dtype=np.int64) % len(images)
        self._others = _next_ones(None if folds is None else folds[self.photographs], count)
        self.pieces_from = self.photographs[self._others]
        self.images = tuple(images[int(row)] for row in self.photographs)
        self._view, self._white, self._seed, self._tolerance = view, white, seed, tolerance
        self._cover = np.zeros((count, view.tiles, *view.size), np.uint8)
        self.sizes = [(0, 0)] * count
        self._as_seen = Preprocess(view, (0.0,) * 3, (1 / 255,) * 3)

    def identity(self) -> list[Any]:
        """What decides the defects, besides photographs and view."""
        plain = np.array_equal(self._others, _next_ones(None, len(self._others)))
        varied = [] if self._tolerance is None else [dict(self._tolerance.severities), self._tolerance.copies]
        return ["pasted", FAMILY, self._seed, *([] if plain else [self._others.tolist()]), *varied]

    def read(self, row: int) -> Decoded:
        """The photograph with its defects, which are then known to `cover`.

        Raises:
            ImageError: it cannot be read any more.
        """
        image, other = self._fine(row), self._fine(int(self._others[row]))
        height, width = image.shape[:2]
        place = self._view.placed((width, height))
        hidden = self._view.not_inspected((width, height))
        pixels, mask = paste_defects(
            image,
            [self._seed, row],
            other=other,
            unit=min(height / place.height, width / place.width) * min(self._view.size) / BASE,
            most=min(MOST * self._view.tiles, _MOST_DEFECTS),
            where=None if hidden is None else ~at_centres(hidden, (height, width)),
        )
        if self._tolerance is not None and row % (1 + self._tolerance.copies):
            seed = image_seed(self._seed, f"pasted/{row}")
            severities = self._tolerance.drawn(seed)
            pixels, mask = corrupt_all(pixels, severities, seed), corrupt_mask_all(mask, severities, seed)
        drawn = np.repeat((mask * np.uint8(255))[None, :, :, None], 3, axis=3)
        with torch.no_grad():
            seen = self._as_seen(torch.from_numpy(drawn))[:, 0]  # (T, height, width) of 0 to 255
        self._cover[row] = seen.round().clamp(0, 255).to(torch.uint8).numpy()
        self.sizes[row] = width, height
        return Decoded(pixels, (width, height))

    def cover(self, progress: Progress = SILENT) -> NDArray[np.uint8]:
        """(Q T, height, width): how much of each pixel of the network's input is defective, in 255ths.

        Raises:
            ImageError: a photograph cannot be read any more.
        """
        rows = [row for row, size in enumerate(self.sizes) if size == (0, 0)]
        if rows:  # their features were kept from another time
            for _, found in progress.track(prefetch(rows, self.read), "pasting defects", len(rows)):
                if isinstance(found, Exception):
                    raise found
        return self._cover.reshape(-1, *self._view.size)

    def _fine(self, row: int) -> NDArray[np.uint8]:
        """(H, W, 3): the photograph, no larger than is of use."""
        return no_finer_than_seen(read_photograph(self.images[row], self._view, white=self._white), self._view)


def _next_ones(folds: NDArray[np.int64] | None, count: int) -> NDArray[np.int64]:
    """(Q,) the row after each, of the same fold where there are folds: the first one after the last."""
    everyone = np.arange(count, dtype=np.int64)
    found = np.empty_like(everyone)
    for own in [everyone] if folds is None else [np.flatnonzero(folds == fold) for fold in np.unique(folds)]:
        found[own] = np.roll(own, -1)
    return found


def pasted_on(
    features: FeatureSet,
    rows: NDArray[np.int64],
    source: FeatureSource,
    method: Method,
    cache: FeatureCache,
    progress: Progress = SILENT,
    folds: NDArray[np.int64] | None = None,
) -> PastedSet | None:
    """What `method` asks for of photographs with defects; None if it asks for none.

    Args:
        features: of all photographs of `source`.
        rows: of these photographs, on which defects may be pasted: those that the method is fitted on.
        source: of `features`.
        method: asks for so many, by its seed.
        cache: of features.
        progress: told of the photographs.
        folds: (N,) fold of each photograph of `source`, where each is scored by a detector that was fitted on the
            others: no piece of it may come into those. None or empty: there are none.
    """
    wanted = method.pasted_photographs()
    if not wanted:
        return None
    view = source.view
    own_folds = folds[rows] if folds is not None and len(folds) else None
    tolerance = None if source.varying is None else source.varying.tolerance
    images = [source.images[row] for row in rows]
    pasting = Pasting(images, view, source.white, method.seed, wanted, own_folds, tolerance)
    own = dataclasses.replace(source, images=pasting.images, pasting=pasting, varying=None)
    network = features.backbone
    looked_at = BlockList(network.name, network.blocks, [tap for tap in network.taps if tap != INPUT]).frozen()
    maps = cache.maps(own, looked_at, progress=progress)
    cover = pasting.cover(progress)
    inside = inside_tiles(view, pasting.sizes)
    found = FeatureSet(looked_at, features.taps, view.size, maps, None, view.tiles, inside)
    return PastedSet(found, cover, rows[pasting.photographs], rows[pasting.pieces_from])
