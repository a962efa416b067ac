"""How notebooks are stored, and whether two executions show the same."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from notebooks.executing import Notebook

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
_SHARE = 0.05
_GREY_LEVELS = 4


def read(path: Path) -> Notebook:
    """The notebook in a file."""
    found: Notebook = json.loads(path.read_text(encoding="utf-8"))
    return found


def write(notebook: Notebook, path: Path) -> None:
    """Store a notebook without what differs from one execution, editor or machine to the next."""
    cells = [_plain(cell, f"cell-{number:02}") for number, cell in enumerate(notebook["cells"], 1)]
    stored = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(stored, ensure_ascii=False, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _plain(cell: dict[str, Any], name: str) -> dict[str, Any]:
    source = "".join(cell["source"]).splitlines(keepends=True)
    kept = {"cell_type": cell["cell_type"], "id": name, "metadata": {}, "source": source}
    return kept | {"execution_count": None, "outputs": cell["outputs"]} if cell["cell_type"] == "code" else kept


def differences(kept: Notebook, made: Notebook) -> list[str]:
    """What another execution shows that the kept one does not, one line each.

    Words must be equal. Numbers may differ by one or by a twentieth, and pictures by some grey levels in the mean, as
    processors round differently.
    """
    found = []
    for number, (old, new) in enumerate(zip(kept["cells"], made["cells"], strict=True), 1):
        before, after = list(_shown(old)), list(_shown(new))
        if [kind for kind, _ in before] != [kind for kind, _ in after]:
            found.append(f"cell {number} shows {[kind for kind, _ in after]}, not {[kind for kind, _ in before]}")
            continue
        for (kind, one), (_, other) in zip(before, after, strict=True):
            same = _same_picture if kind == "picture" else same_text
            if not same(one, other):
                shown = ": the picture is another" if kind == "picture" else f":\n{other}\nnot\n{one}"
                found.append(f"cell {number}{shown}")
    return found


def _shown(cell: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and text of each output; of a picture its bytes in base64."""
    for output in cell.get("outputs", ()):
        if output["output_type"] == "stream":
            yield output["name"], "".join(output["text"])
        for kind, text in output.get("data", {}).items():
            yield "picture" if kind.startswith("image/") else kind, "".join(text)


def same_text(one: str, other: str) -> bool:
    """Whether two texts have the same words, and numbers that are close."""
    if _NUMBER.sub("#", one).split() != _NUMBER.sub("#", other).split():
        return False
    pairs = zip(_numbers(one), _numbers(other), strict=True)
    return all(
        math.isclose(a, b, rel_tol=_SHARE) or (a.is_integer() and b.is_integer() and abs(a - b) <= 1) for a, b in pairs
    )


def _numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in _NUMBER.findall(text)]


def _same_picture(one: str, other: str) -> bool:
    before, after = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB"), np.float32) for each in (one, other)
    )
    return before.shape == after.shape and float(np.abs(before - after).mean()) <= _GREY_LEVELS
