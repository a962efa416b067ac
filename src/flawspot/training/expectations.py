"""Estimates the costs of a training with tiles before it begins."""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from flawspot.backbones.macs import module_macs
from flawspot.methods.costs import FLOAT
from flawspot.methods.shapes import Shapes
from flawspot.runtime.session import open_session
from flawspot.training.configuration import Configuration
from flawspot.training.feature_cache import DEFAULT_MEMORY
from flawspot.training.graph import FeatureGraph, Preprocess, to_onnx
from flawspot.training.photographs import Photographs
from flawspot.training.viewing import usual_size

_RESIDENT = 600 << 20
"""Bytes that Python, torch and ONNX Runtime take by themselves."""
_PASSES = 2.5
"""Passes of a photograph through the network, including held-out ones and pasted defects."""
_TIMED = 3
_QUICK = 2e11
"""Multiply-accumulates that any processor does in a minute. For fewer, nothing is timed."""


def expectations(chosen: Configuration, photographs: Photographs) -> list[str]:
    """Lines for the user: what a tile shows, memory, disk and time. Empty without tiles.

    The time is that of one tile on this machine times the number of tiles. The time of the fit is computed from its
    multiply-accumulates at the same speed, so it is rough.

    Args:
        chosen: the configuration with its view.
        photographs: the training photographs.
    """
    view = chosen.view
    if view.tiles == 1:
        return []
    usual = usual_size(photographs.sizes)
    place = view.placed(usual)
    shown = [
        round(side * length / whole)
        for side, length, whole in zip(view.size[::-1], usual, (place.width, place.height), strict=True)
    ]
    lines = [f"{view}: a tile shows {shown[0]} x {shown[1]} pixels of photographs of {usual[0]} x {usual[1]}"]
    ways = 1 + chosen.copies
    count = view.tiles * len(photographs.fit) * ways
    shapes = _shapes(chosen, count)
    features = FLOAT * sum(math.prod(shape) for shape in shapes.maps.values())
    cached = features * view.tiles * len(photographs.learned_from()) * ways
    found = chosen.method.training_costs(shapes)
    held = _RESIDENT + min(cached, DEFAULT_MEMORY) + (0 if found is None else sum(item.bytes for item in found.items))
    passes = _PASSES + ways - 1
    macs = passes * view.tiles * len(photographs.images) * module_macs(chosen.network, torch.zeros(1, 3, *view.size))
    if found is not None:
        each = found.forward_macs + found.backward_input_macs + found.backward_weight_macs
        macs += count * max(found.epochs, 1) * each + count * found.selection_macs
    lines.append(
        f"training will take about {held / 2**30:.1f} GiB of memory, {cached / 2**30:.1f} GiB of features (beyond "
        f"{DEFAULT_MEMORY / 2**30:.0f} GiB in a temporary file), and {_time(macs, chosen)}; fewer tiles take less"
    )
    return lines


def _shapes(chosen: Configuration, count: int) -> Shapes:
    size = chosen.view.size
    maps, tiles = chosen.network.shapes(size), chosen.view.tiles
    return Shapes(chosen.network.name, chosen.taps, maps, size, count, tiles, chosen.copies)


def _time(macs: float, chosen: Configuration) -> str:
    """The time for `macs` multiply-accumulates, in words."""
    if macs < _QUICK:
        return "less than a minute"
    seconds = macs / _speed(chosen)
    if seconds < 90:
        return f"{max(seconds, 1):.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _speed(chosen: Configuration) -> float:
    """Multiply-accumulates per second of the backbone on a tile."""
    size = chosen.view.size
    plain = Preprocess(type(chosen.view)(*size), chosen.mean, chosen.std)
    names = [f"layer_{tap}" for tap in chosen.network.taps]
    session = open_session(to_onnx(FeatureGraph(plain, chosen.network), names))
    noise = np.random.default_rng(0).integers(0, 256, (1, *size, 3), dtype=np.uint8)
    took = []
    for _ in range(_TIMED):
        begin = time.perf_counter()
        session.run(names, {"image": noise})
        took.append(time.perf_counter() - begin)
    return module_macs(chosen.network, torch.zeros(1, 3, *size)) / max(min(took), 1e-5)
