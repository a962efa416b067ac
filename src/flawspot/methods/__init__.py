"""Anomaly detection methods. Calling this package, ``flawspot.methods()``, returns every registered method.

The classes are imported when first used, so importing this package is quick and needs no torch.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from flawspot.extras import import_module

if TYPE_CHECKING:
    from flawspot.methods.base import Method as Method
    from flawspot.methods.cfa import CFA as CFA
    from flawspot.methods.jury import Jury as Jury
    from flawspot.methods.padim import PaDiM as PaDiM
    from flawspot.methods.pasted import Pasted as Pasted
    from flawspot.methods.patchcore import PatchCore as PatchCore
    from flawspot.methods.stfpm import STFPM as STFPM
    from flawspot.methods.stfpm import PaSTe as PaSTe

DEFAULT_METHOD = "jury"
"""The default method of `train`. Of those within 5 MB and 500 million multiply-accumulates it has the best figures over
six data sets; see docs/results.md."""

_HOMES = {
    "CFA": "flawspot.methods.cfa",
    "Jury": "flawspot.methods.jury",
    "Method": "flawspot.methods.base",
    "PaDiM": "flawspot.methods.padim",
    "PaSTe": "flawspot.methods.stfpm",
    "Pasted": "flawspot.methods.pasted",
    "PatchCore": "flawspot.methods.patchcore",
    "STFPM": "flawspot.methods.stfpm",
}

__all__ = ["CFA", "DEFAULT_METHOD", "STFPM", "Jury", "Method", "PaDiM", "PaSTe", "Pasted", "PatchCore"]


class _Package(types.ModuleType):
    def __call__(self) -> dict[str, type[Method]]:
        """Every registered method's class by its name.

        >>> list(flawspot.methods())
        ['cfa', 'jury', 'padim', 'paste', 'pasted', 'patchcore', 'stfpm']
        """
        known: dict[str, type[Method]] = import_module(f"{__name__}.registry", "flawspot.methods").methods()
        return known


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], f"flawspot.{name}"), name)
