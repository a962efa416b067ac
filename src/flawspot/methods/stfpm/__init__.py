"""STFPM and PaSTe: a student that follows its teacher, its schedules and its costs; imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flawspot.extras import lazily

if TYPE_CHECKING:
    from flawspot.methods.stfpm.method import STFPM as STFPM
    from flawspot.methods.stfpm.paste import PaSTe as PaSTe

__all__ = ["STFPM", "PaSTe"]

__getattr__ = lazily(__name__, {"STFPM": "method", "PaSTe": "paste"})
