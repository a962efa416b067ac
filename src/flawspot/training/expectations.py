"""What a training with tiles will take, told before it begins."""

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

_RESIDENT = 600 << 20
"""Bytes of Python, torch and ONNX Runtime themselves."""
_PASSES = 2.5
"""Times that a photograph goes through the network, held-out ones and pasted defects among them."""
_TIMED = 3


def expectations(chosen: Configuration, photographs: Photographs, usual: tuple[int, int]) -> list[str]:
    """Lines for the user: what a tile shows, memory, disk and time. Empty without tiles.

    The time is that of one tile on this machine times the tiles; what the fit takes is reckoned from its
    multiply-accumulates at the same speed, so it is rough.

    Args:
        chosen: with its view.
        photographs: to learn from.
        usual: (width, height) of most of them.
    """
    view = chosen.view
    if view.tiles == 1:
        return []
    place = view.placed(usual)
    shown = [
        round(side * length / whole)
        for side, length, whole in zip(view.size[::-1], usual, (place.width, place.height), strict=True)
    ]
    lines = [f"{view}: a tile shows {shown[0]} x {shown[1]} pixels of photographs of {usual[0]} x {usual[1]}"]
    count = view.tiles * len(photographs.fit)
    shapes = _shapes(chosen, count)
    features = FLOAT * sum(math.prod(shape) for shape in shapes.maps.values())
    cached = features * view.tiles * len(photographs.learned_from())
    found = chosen.method.training_costs(shapes)
    held = _RESIDENT + min(cached, DEFAULT_MEMORY) + (0 if found is None else sum(item.bytes for item in found.items))
    seconds, rate = _speed(chosen)
    total = _PASSES * seconds * view.tiles * len(photographs.images)
    if found is not None:
        macs = found.forward_macs + found.backward_input_macs + found.backward_weight_macs
        total += (count * max(found.epochs, 1) * macs + count * found.selection_macs) / rate
    lines.append(
        f"training will take about {held / 2**30:.1f} GiB of memory, {cached / 2**30:.1f} GiB of features (beyond "
        f"{DEFAULT_MEMORY / 2**30:.0f} GiB in a temporary file), and {_told(total)}; fewer tiles take less"
    )
    return lines


def _shapes(chosen: Configuration, count: int) -> Shapes:
    with torch.no_grad():
        outputs = chosen.network(torch.zeros(1, 3, *chosen.view.size))
    maps = {layer: (output.shape[1], output.shape[2], output.shape[3]) for layer, output in outputs.items()}
    return Shapes(chosen.network.name, chosen.taps, maps, chosen.view.size, count, chosen.view.tiles)


def _speed(chosen: Configuration) -> tuple[float, float]:
    """Seconds of a tile in the backbone, and multiply-accumulates a second."""
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
    seconds = max(min(took), 1e-5)
    return seconds, module_macs(chosen.network, torch.zeros(1, 3, *size)) / seconds


def _told(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
