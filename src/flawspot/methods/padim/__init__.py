"""PaDiM: the method, its numerics and its costs; the class is imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flawspot.extras import lazily

if TYPE_CHECKING:
    from flawspot.methods.padim.method import PaDiM as PaDiM

__all__ = ["PaDiM"]

__getattr__ = lazily(__name__, {"PaDiM": "method"})
