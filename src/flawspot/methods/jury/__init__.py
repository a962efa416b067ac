"""Jury: several methods on one pass of the backbone, with their maps combined into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flawspot.extras import lazily

if TYPE_CHECKING:
    from flawspot.methods.jury.method import Jury as Jury

__all__ = ["Jury"]

__getattr__ = lazily(__name__, {"Jury": "method"})
