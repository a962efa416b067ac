"""The one road: photographs -> features -> method -> graph -> calibrated, verified artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flawspot.extras import lazily

if TYPE_CHECKING:
    from flawspot.training.road import train as train

__all__ = ["train"]

__getattr__ = lazily(__name__, {"train": "road"})
