"""Light networks as lists of blocks. Calling this package, ``flawspot.backbones()``, returns every registered one."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

from flawspot.extras import import_module

if TYPE_CHECKING:
    from flawspot.backbones.registry import BackboneFamily


class _Package(types.ModuleType):
    def __call__(self) -> dict[str, BackboneFamily]:
        """All registered backbones, by name.

        >>> flawspot.backbones()["mobilenet_v2"].layer_groups["equiv"]
        (3, 8, 14)
        """
        known: dict[str, BackboneFamily] = import_module(f"{__name__}.registry", "flawspot.backbones").families()
        return known


sys.modules[__name__].__class__ = _Package
