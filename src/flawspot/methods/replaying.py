"""Learning again from kept features of old photographs, together with those of new ones.

The kept old photographs represent all earlier ones: in each epoch, the proportion of old and new images is that of all
photographs. Old images are used again so that a network does not forget them (rehearsal; Robins, Catastrophic
forgetting, rehearsal and pseudorehearsal, Connection Science 1995).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from flawspot.backbones.block_list import BlockList
from flawspot.methods.features import FeatureSet, tile_rows
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.state import Kept
from flawspot.runtime.tolerated import copies_of


@dataclasses.dataclass(frozen=True)
class Shares:
    """The images of an epoch.

    Attributes:
        old, new: numbers of kept old images and of new images.
        before: number of images that the old ones represent.
        tiles: tiles of each image.
    """

    old: int
    new: int
    before: int
    tiles: int

    def drawn(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Rows in a random order. If all old photographs were kept, each row appears once."""
        total = self.old + self.new
        of_old = min(round(total * self.before / (self.before + self.new)), total - 1) if self.new else total
        rows = [_repeated(self.old, of_old, generator), self.old + _repeated(self.new, total - of_old, generator)]
        return generator.permutation(tile_rows(np.concatenate(rows), self.tiles))


def _repeated(count: int, wanted: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """`wanted` draws of `count` rows, each row equally often up to one."""
    rounds = [generator.permutation(count) for _ in range(-(-wanted // count) if count else 0)]
    return np.concatenate([*rounds, np.empty(0, np.int64)])[:wanted].astype(np.int64)


def at_layers(photographs: Kept, layers: Sequence[int]) -> Kept:
    """The same photographs without the maps of other layers."""
    maps: Mapping[int, NDArray[np.floating]] = {layer: photographs.maps[layer] for layer in layers}
    return dataclasses.replace(photographs, maps=maps)


def features_of(photographs: Kept, backbone: BlockList, manifest: Manifest, layers: Sequence[int]) -> FeatureSet:
    """Kept photographs as input of a method. The weights of `backbone` do not matter."""
    maps, masks = at_layers(photographs, layers).maps, photographs.inside
    inside = None if masks is None else lambda rows: masks[rows]
    return FeatureSet(backbone, manifest.backbone.taps, manifest.view.size, maps, None, photographs.tiles, inside)


def images_before(manifest: Manifest) -> int:
    """Number of images learned from so far, including varied copies if there is a tolerance."""
    photographs = manifest.training.images + sum(each.images for each in manifest.updates)
    return photographs * (1 + copies_of(manifest.calibration.tolerated))
