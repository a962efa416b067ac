"""The published figures of the PaSTe paper's tables 2 and 3. No torch is needed to read them."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def paper_tables() -> dict[str, Any]:
    """The published figures, with their source."""
    text = resources.files("flawspot.costs").joinpath("paper_tables.json").read_text(encoding="utf-8")
    tables: dict[str, Any] = json.loads(text)
    return tables
