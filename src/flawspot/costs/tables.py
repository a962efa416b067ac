"""The published figures of the PaSTe paper's tables 2 and 3, and the settings of its detectors. No torch is needed."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from flawspot.runtime.manifest import Scalar

INPUT_SIZE = 224
ANY = "any backbone"
SETTINGS: dict[str, dict[str, dict[str, Scalar]]] = {
    "patchcore": {"wide_resnet50_2": {"bank_size": 30_000}, "mobilenet_v2": {"bank_size": 30_000}},
    "padim": {"wide_resnet50_2": {"channels": 550}},
    "stfpm": {ANY: {"recipe": "paper"}},
    "paste": {ANY: {"recipe": "paper"}},
}
"""Hyperparameters of the paper that differ from flawspot's defaults, by method and backbone."""


def paper_settings(backbone: str, method: str) -> dict[str, Scalar]:
    """The hyperparameters of the paper's detector that differ from flawspot's defaults."""
    of_method = SETTINGS.get(method, {})
    return dict(of_method.get(backbone) or of_method.get(ANY) or {})


def paper_tables() -> dict[str, Any]:
    """The published figures, with their source."""
    text = resources.files("flawspot.costs").joinpath("paper_tables.json").read_text(encoding="utf-8")
    tables: dict[str, Any] = json.loads(text)
    return tables
