"""The published figures of the PaSTe paper's tables 2 and 3, and how its detectors are set. No torch is needed."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from flawspot.runtime.manifest import Scalar

INPUT_SIZE = 224
BANK_SIZE = 30_000
SETTINGS: dict[tuple[str, str], dict[str, Scalar]] = {
    ("wide_resnet50_2", "patchcore"): {"bank_size": BANK_SIZE},
    ("mobilenet_v2", "patchcore"): {"bank_size": BANK_SIZE},
    ("wide_resnet50_2", "padim"): {"channels": 550},
}
"""Hyperparameters of the paper that are not flawspot's defaults, by backbone and method."""
METHOD_SETTINGS: dict[str, dict[str, Scalar]] = {"stfpm": {"recipe": "paper"}, "paste": {"recipe": "paper"}}
"""Likewise, for every backbone."""


def paper_settings(backbone: str, method: str) -> dict[str, Scalar]:
    """The hyperparameters of a column of the tables that are not flawspot's defaults."""
    return dict(SETTINGS.get((backbone, method)) or METHOD_SETTINGS.get(method) or {})


def paper_tables() -> dict[str, Any]:
    """The published figures, with their source."""
    text = resources.files("flawspot.costs").joinpath("paper_tables.json").read_text(encoding="utf-8")
    tables: dict[str, Any] = json.loads(text)
    return tables
