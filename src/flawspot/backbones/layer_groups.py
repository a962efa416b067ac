"""Layers by group name (Table 1 of the PaSTe paper, arXiv 2410.11591) or as a list of indices."""

from collections.abc import Sequence

import torch

from flawspot.backbones.block_list import check_taps
from flawspot.backbones.equivalent_layers import Equivalent, equivalent_layers
from flawspot.backbones.registry import create, family
from flawspot.errors import ConfigurationError

EQUIVALENT = "equiv:"
"""Prefix of a reference backbone: the equivalents of its taps. `equiv` alone is Table 1's group."""

STAGES = "stages"
"""A group of any backbone: layers at a quarter, an eighth and a sixteenth of the resolution. At each, it is the last of
the first layers with equal numbers of channels: [3, 6, 10] of MobileNetV2. These layers are suited to small defects:
they have a fine resolution and most of the network's computation at it."""
_STRIDES = (4, 8, 16)
_STAGES_SIZE = 224


def resolve(backbone: str, layers: str | Sequence[int]) -> tuple[int, ...]:
    """The taps for `layers`: a group's name, "equiv:wide_resnet50_2", "3,8,14", or the indices themselves.

    Raises:
        ConfigurationError: an unknown backbone or group (the known ones are listed), or indices out of range or order.
    """
    known = family(backbone)
    if isinstance(layers, str):
        if layers in known.layer_groups:
            return known.layer_groups[layers]
        if layers == STAGES:
            return stages(backbone)
        found = equivalent(backbone, layers)
        if found is not None:
            return found.taps
        try:
            layers = [int(part) for part in layers.strip("[]() ").replace(",", " ").split()]
        except ValueError:
            groups = ", ".join(known.layer_groups)
            raise ConfigurationError(
                f"unknown layers {layers!r} of {backbone}: give one of the groups {groups}, "
                f"{STAGES}, equiv:wide_resnet50_2, or indices such as 3,8,14"
            ) from None
    # A negative index counts from the end in timm. Here -1 would be the photograph itself, so it is refused.
    return check_taps(backbone, layers, first=0, last=known.last)


def stages(backbone: str) -> tuple[int, ...]:
    """The layers of `STAGES`, for those resolutions that the backbone has."""
    with torch.device("meta"):
        last = family(backbone).last
        shapes = create(backbone, tuple(range(last + 1))).shapes((_STAGES_SIZE, _STAGES_SIZE))
    found = []
    for stride in _STRIDES:
        channels = {layer: c for layer, (c, height, _) in shapes.items() if height * stride == _STAGES_SIZE}
        changes = (layer for layer in channels if channels[layer] != next(iter(channels.values())))
        end = next(changes, last + 1)
        found += [layer for layer in channels if layer < end][-1:]
    return tuple(found)


def equivalent(backbone: str, layers: str | Sequence[int], input_size: int = 224) -> Equivalent | None:
    """The layers for "equiv:REFERENCE", with their percentages; None for layers given in another form.

    Raises:
        ConfigurationError: an unknown backbone or reference.
    """
    if not isinstance(layers, str) or not layers.startswith(EQUIVALENT):
        return None
    return equivalent_layers(backbone, layers.removeprefix(EQUIVALENT).strip(), input_size)
