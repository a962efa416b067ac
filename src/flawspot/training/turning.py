"""Turned photographs, for methods that learn from parts in any orientation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method
from flawspot.methods.features import FeatureSet
from flawspot.progress import SILENT, Progress
from flawspot.runtime.view import View
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.feature_source import FeatureSource
from flawspot.training.tiles import inside_tiles


def check_turns(method: Method, view: View, sizes: Sequence[tuple[int, int]]) -> None:
    """Refuse turns that would show the network views that it never sees in use.

    Args:
        method: gives the turns.
        view: the view of the photographs.
        sizes: (width, height) of each.

    Raises:
        ConfigurationError: there is a region, which would not turn with the part; or photographs are stretched, which a
            quarter turn would do in the other direction.
    """
    turns = method.turns()
    if turns and view.inspected is not None:
        raise ConfigurationError("rotations go with no region (--roi, --ignore), which would not turn: leave one out")
    if any(quarters % 2 for quarters in turns) and view.fit == "squash":
        height, width = view.canvas
        if any(wide * height != high * width for wide, high in sizes) or height != width:
            raise ConfigurationError(
                "quarter turns need square photographs and a square input: give rotations=2, or --fit pad"
            )


def turned(
    features: FeatureSet,
    source: FeatureSource,
    sizes: Sequence[tuple[int, int]],
    method: Method,
    cache: FeatureCache,
    progress: Progress = SILENT,
) -> dict[int, FeatureSet]:
    """The features of the turned photographs that `method` asks for, by the number of quarter turns.

    Args:
        features: features of all photographs of `source`.
        source: source of `features`.
        sizes: (width, height) of these photographs.
        method: gives the turns.
        cache: cache of features.
        progress: reports the photographs.
    """
    found = {}
    for quarters in method.turns():
        maps = cache.maps(dataclasses.replace(source, turn=quarters), features.backbone, progress=progress)
        lying = [size[::-1] if quarters % 2 else size for size in sizes]
        found[quarters] = dataclasses.replace(features, maps=maps, inside=inside_tiles(source.view, lying), turned={})
    return found
