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
"""Smallest number of photographs, for any number of tiles."""
_MOST_DEFECTS = 64


class Pasting:
    """Pasted defects on photographs, the same for the same seed.

    Args:
        images: photographs of good parts.
        view: the view of the photographs.
        white: value of white in photographs of 16 bits.
        seed: seed of the defects.
        tiles: wanted number of tiles with defects; without tiles, of photographs.
        folds: (N,) fold of each of `images`. Pieces pasted into a photograph come only from its own fold. None allows
            any photograph.
        tolerance: the tolerance within which photographs with defects are varied, as often as good ones; None for none.

    Attributes:
        photographs: (Q,) index in `images` of each photograph with defects.
        pieces_from: (Q,) index in `images` of the photograph that pieces may also come from.
        images: Q photographs.
        sizes: (width, height) of each in the form of the network's input; known after `cover`.
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
        """Everything that affects the defects, besides photographs and view."""
        plain = np.array_equal(self._others, _next_ones(None, len(self._others)))
        varied = [] if self._tolerance is None else [dict(self._tolerance.severities), self._tolerance.copies]
        return ["pasted", FAMILY, self._seed, *([] if plain else [self._others.tolist()]), *varied]

    def read(self, row: int) -> Decoded:
        """The photograph with its defects. `cover` uses their masks afterwards.

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
        """(Q T, height, width): the defective share of each pixel of the network's input, in 255ths.

        Raises:
            ImageError: a photograph cannot be read any more.
        """
        rows = [row for row, size in enumerate(self.sizes) if size == (0, 0)]
        if rows:  # their features come from an earlier run
            for _, found in progress.track(prefetch(rows, self.read), "pasting defects", len(rows)):
                if isinstance(found, Exception):
                    raise found
        return self._cover.reshape(-1, *self._view.size)

    def _fine(self, row: int) -> NDArray[np.uint8]:
        """(H, W, 3): the photograph, reduced to the largest useful size."""
        return no_finer_than_seen(read_photograph(self.images[row], self._view, white=self._white), self._view)


def _next_ones(folds: NDArray[np.int64] | None, count: int) -> NDArray[np.int64]:
    """(Q,) the row after each row, cyclically; with folds, the next row of the same fold."""
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
    """The photographs with pasted defects that `method` asks for; None if it asks for none.

    Args:
        features: features of all photographs of `source`.
        rows: rows of the photographs for pasting: those that the method is fitted on.
        source: source of `features`.
        method: gives the number of photographs and the seed.
        cache: cache of features.
        progress: reports the photographs.
        folds: (N,) fold of each photograph of `source`, if each is scored by a detector fitted on the other folds. Then
            no piece of a photograph may be pasted into other folds. None or empty without folds.
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
