"""Layers by group name (Table 1 of the PaSTe paper, arXiv 2410.11591) or as a list of indices."""

from collections.abc import Sequence

from flawspot.backbones.block_list import check_taps
from flawspot.backbones.registry import family
from flawspot.errors import ConfigurationError


def resolve(backbone: str, layers: str | Sequence[int]) -> tuple[int, ...]:
    """The taps that `layers` stands for: a group's name, "3,8,14", or the indices themselves.

    Raises:
        ConfigurationError: an unknown backbone or group (the known ones are listed), or indices out of range or order.
    """
    known = family(backbone)
    if isinstance(layers, str):
        if layers in known.layer_groups:
            return known.layer_groups[layers]
        try:
            layers = [int(part) for part in layers.strip("[]() ").replace(",", " ").split()]
        except ValueError:
            groups = ", ".join(known.layer_groups)
            raise ConfigurationError(
                f"unknown layers {layers!r} of {backbone}: give one of the groups {groups}, or indices such as 3,8,14"
            ) from None
    # A negative index counts from the end in timm; here -1 would be the photograph itself, so it is refused.
    return check_taps(backbone, layers, first=0, last=known.last)
