"""Pasted: the method, its network and its costs. The class is imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flawspot.extras import lazily

if TYPE_CHECKING:
    from flawspot.methods.pasted.method import Pasted as Pasted

__all__ = ["Pasted"]

__getattr__ = lazily(__name__, {"Pasted": "method"})
