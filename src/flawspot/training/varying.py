"""The varied copies of photographs that a training learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flawspot.data.varying import Varying

if TYPE_CHECKING:
    from flawspot.training.configuration import Configuration
    from flawspot.training.photographs import Photographs


def varying_of(chosen: Configuration, photographs: Photographs) -> Varying | None:
    """The variation for the chosen tolerance; None without a tolerance."""
    if chosen.tolerance is None:
        return None
    scored = len(photographs.folds) > 0
    return Varying(chosen.tolerance, chosen.method.seed, photographs.root, chosen.view, photographs.white, scored)
