"""PatchCore: the method, its numerics and its costs; the class is imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flawspot.extras import lazily

if TYPE_CHECKING:
    from flawspot.methods.patchcore.method import PatchCore as PatchCore

__all__ = ["PatchCore"]

__getattr__ = lazily(__name__, {"PatchCore": "method"})
