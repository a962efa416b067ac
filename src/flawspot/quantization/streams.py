"""Separate units for the channels of residual streams.

The linear results of a mobile network's blocks are added up, and methods tap them. The ranges of their channels differ
by a factor of ten and more, so with one step for all, most channels use only a few steps. Separate units cost nothing:
the convolutions before and after a value absorb the units into their weights. For any other reader, the value is
multiplied back in float. In float nothing changes (Nagel et al., Data-Free Quantization Through Weight Equalization and
Bias Correction, ICCV 2019, section 4.1, have the idea for consecutive convolutions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from flawspot.quantization.network import Addition, Convolution, Network, sources_of
from flawspot.quantization.ranges import Range
from flawspot.quantization.steps import Channels, Units

_SMALLEST_SHARE = 1e-3
"""Share of the widest channel's range below which a channel is not amplified further."""
HEADROOM = 2.0
"""How far a clipped channel may exceed its range on good photographs before it saturates."""


def streams_of(network: Network) -> list[list[str]]:
    """Lists of linear values that must share their scales because they are added; each list is in order.

    Streams to which a clipped value is added are left out, as it has no units.
    """
    linear = {layer.result for layer in network.convolutions if layer.linear}
    parent: dict[str, str] = {name: name for name in linear}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    broken: set[str] = set()
    for layer in network.layers:
        if isinstance(layer, Addition):
            known = [name for name in layer.sources if name in parent]
            parent[layer.result] = layer.result
            for name in known:
                parent[root(name)] = root(layer.result)
            if len(known) < len(layer.sources):  # clipped values have no separate units
                broken.add(layer.result)
    members: dict[str, list[str]] = {}
    for name in parent:
        members.setdefault(root(name), []).append(name)
    refused = {root(name) for name in broken}
    return [names for start, names in members.items() if start not in refused]


def channel_units(
    network: Network, ranges: Mapping[str, Range], strength: float, known: Mapping[str, Units] | None = None
) -> dict[str, Units]:
    """Units of every value that can have them and has none yet, by its key.

    Args:
        network: in float.
        ranges: ranges of the values that have no steps yet, by name.
        strength: 0 leaves the channels unchanged, 1 gives all channels of a stream the same width.
        known: the units of the other values, by key. A value added to one of them shares its scale.
    """
    return {**_stream_units(network, ranges, strength, known or {}), **_clipped_units(network, ranges, strength)}


def _clipped_units(network: Network, ranges: Mapping[str, Range], strength: float) -> dict[str, Units]:
    """Units of values that are clipped at 0, as clipping and multiplying by a positive number can be exchanged.

    Values beyond the largest stored number saturate. For a channel that stays far below its clip, that is `HEADROOM`
    times the largest value seen, as a defect may exceed what good parts show.
    """
    units = {}
    for layer in network.convolutions:
        if layer.low != 0 or layer.result not in ranges:
            continue
        takers = [other for other in network.layers if layer.result in sources_of(other)]
        if not takers or not all(isinstance(other, Convolution) for other in takers):
            continue
        alone = all(isinstance(other, Convolution) and other.groups > 1 for other in takers)
        limits = np.minimum(ranges[layer.result].high * HEADROOM, layer.high)
        units[layer.key] = Units(_scale(limits, 1.0 if alone else strength), np.zeros_like(limits))
    return units


def _stream_units(
    network: Network, ranges: Mapping[str, Range], strength: float, known: Mapping[str, Units]
) -> dict[str, Units]:
    """Units of every value in a stream."""
    keys = {layer.result: layer.key for layer in network.layers}
    padded = {layer.source for layer in network.convolutions if layer.padded}
    units: dict[str, Units] = {}
    for names in streams_of(network):
        new = [name for name in names if name in ranges]
        if not new:
            continue
        if len(new) < len(names):
            scale = _known_scale([known.get(keys[name]) for name in names if name not in ranges], ranges[new[0]])
        else:
            scale = _scale(np.max([ranges[name].high - ranges[name].low for name in names], axis=0), strength)
        movable = not any(name in padded for name in new)
        own = {keys[name]: ranges[name] for name in new}
        for layer in network.layers:
            if layer.key not in own:
                continue
            shift = np.zeros_like(scale)
            if isinstance(layer, Addition):
                shift = sum((_shift(units | dict(known), keys[name], shift) for name in layer.sources), shift)
            elif movable:
                shift = (own[layer.key].high + own[layer.key].low) / 2
            units[layer.key] = Units(scale, shift)
    return units


def _shift(units: Mapping[str, Units], key: str, zero: Channels) -> Channels:
    return units[key].shift if key in units else zero


def _known_scale(known: Sequence[Units | None], like: Range) -> Channels:
    """The scale of values that already have steps; 1 if they have no separate units."""
    found = [units.scale for units in known if units is not None]
    return found[0] if found else np.ones_like(like.low)


def _scale(widths: NDArray[np.float64], strength: float) -> Channels:
    widest = max(float(widths.max()), 1e-12)
    scale: Channels = np.maximum(widths / widest, _SMALLEST_SHARE) ** strength
    return scale


def absorbed(layer: Convolution, source: Units | None, result: Units | None) -> tuple[NDArray[np.float64], Channels]:
    """Weights and bias of a convolution whose input and output have separate units.

    With ``x = x' s + m`` and ``y = y' t + n``: ``y' = (W s x' + W m + b - n) / t``.
    """
    weights, bias = layer.weights.astype(np.float64), layer.bias.astype(np.float64)
    if source is not None:
        per_group = weights.shape[1]
        group = np.arange(len(weights)) // (len(weights) // layer.groups)
        channels = group[:, None] * per_group + np.arange(per_group)  # (O, I / groups)
        bias = bias + (weights.sum(axis=(2, 3)) * source.shift[channels]).sum(axis=1)
        weights = weights * source.scale[channels][:, :, None, None]
    if result is not None:
        weights = weights / result.scale[:, None, None, None]
        bias = (bias - result.shift) / result.scale
    return weights, bias
