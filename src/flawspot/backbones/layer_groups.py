"""Layers by group name (Table 1 of the PaSTe paper, arXiv 2410.11591) or as a list of indices."""

from collections.abc import Sequence

from flawspot.backbones.block_list import check_taps
from flawspot.backbones.equivalent_layers import Equivalent, equivalent_layers
from flawspot.backbones.registry import family
from flawspot.errors import ConfigurationError

EQUIVALENT = "equiv:"
"""Before the name of a reference backbone: the layers that stand for its taps. `equiv` alone is Table 1's group."""


def resolve(backbone: str, layers: str | Sequence[int]) -> tuple[int, ...]:
    """The taps that `layers` stands for: a group's name, "equiv:wide_resnet50_2", "3,8,14", or the indices themselves.

    Raises:
        ConfigurationError: an unknown backbone or group (the known ones are listed), or indices out of range or order.
    """
    known = family(backbone)
    if isinstance(layers, str):
        if layers in known.layer_groups:
            return known.layer_groups[layers]
        found = equivalent(backbone, layers)
        if found is not None:
            return found.taps
        try:
            layers = [int(part) for part in layers.strip("[]() ").replace(",", " ").split()]
        except ValueError:
            groups = ", ".join(known.layer_groups)
            raise ConfigurationError(
                f"unknown layers {layers!r} of {backbone}: give one of the groups {groups}, "
                "equiv:wide_resnet50_2, or indices such as 3,8,14"
            ) from None
    # A negative index counts from the end in timm; here -1 would be the photograph itself, so it is refused.
    return check_taps(backbone, layers, first=0, last=known.last)


def equivalent(backbone: str, layers: str | Sequence[int], input_size: int = 224) -> Equivalent | None:
    """What "equiv:REFERENCE" comes to, with its percentages; None for layers given in another way.

    Raises:
        ConfigurationError: an unknown backbone or reference.
    """
    if not isinstance(layers, str) or not layers.startswith(EQUIVALENT):
        return None
    return equivalent_layers(backbone, layers.removeprefix(EQUIVALENT).strip(), input_size)
