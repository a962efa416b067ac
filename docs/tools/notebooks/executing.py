"""Executes a notebook's cells in order in this process, and collects what Jupyter would show.

A cell is plain Python, without magics. What is shown: what it prints, what it gives to ``display``, the value of its
last expression, and the figures that pyplot has open.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import copy
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

Notebook = dict[str, Any]
"""The JSON of a notebook, format 4.5."""

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
_JPEG_QUALITY = 85


def executed(notebook: Notebook, name: str, folder: Path) -> Notebook:
    """A copy with new outputs.

    Args:
        notebook: what is executed; its outputs are passed over.
        name: of the notebook, for tracebacks.
        folder: the working folder of the cells.

    Raises:
        Exception: whatever a cell raises.
    """
    made = copy.deepcopy(notebook)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    os.environ.setdefault("MPLBACKEND", "Agg")
    with contextlib.chdir(folder):
        for number, cell in enumerate(made["cells"], 1):
            if cell["cell_type"] == "code":
                cell["outputs"] = _outputs("".join(cell["source"]), f"{name}, cell {number}", namespace)
    return made


def _outputs(source: str, place: str, namespace: dict[str, Any]) -> list[dict[str, Any]]:
    """Execute one cell."""
    shown: list[dict[str, Any]] = []
    printed = io.StringIO()

    def take_printed() -> None:
        if printed.getvalue():
            shown.append({"output_type": "stream", "name": "stdout", "text": lines(printed.getvalue())})
            printed.seek(0)
            printed.truncate()

    def display(*values: Any) -> None:
        take_printed()
        shown.extend({"output_type": "display_data", "data": bundle(value), "metadata": {}} for value in values)

    namespace["display"] = display
    body = ast.parse(source, place)
    last = body.body[-1] if body.body else None
    expression = last.value if isinstance(last, ast.Expr) else None
    if expression is not None:
        body.body.pop()
    with contextlib.redirect_stdout(printed):
        exec(compile(body, place, "exec"), namespace)
        value = None if expression is None else eval(compile(ast.Expression(expression), place, "eval"), namespace)
    take_printed()
    if value is not None:
        result = {"output_type": "execute_result", "execution_count": None, "data": bundle(value), "metadata": {}}
        shown.append(result)
    # Lines and letters stay sharp: figures are kept as PNG, even where JPEG is smaller.
    figures = ({"image/png": base64.b64encode(png).decode(), "text/plain": ["<Figure>"]} for png in _figures())
    return shown + [{"output_type": "display_data", "data": figure, "metadata": {}} for figure in figures]


def _figures() -> Iterator[bytes]:
    """The open figures of pyplot as PNG. They are closed, as Jupyter does at the end of a cell."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in pyplot.get_fignums():
        file = io.BytesIO()
        pyplot.figure(number).savefig(file, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
        yield file.getvalue()
    pyplot.close("all")


def bundle(value: Any) -> dict[str, Any]:
    """A value by MIME type: as text, and as HTML or a picture if it can show itself so. No memory addresses."""
    text = _ADDRESS.sub("", repr(value))
    png = value._repr_png_() if hasattr(value, "_repr_png_") else None
    if png is not None:
        return _picture(png, text)
    html = value._repr_html_() if hasattr(value, "_repr_html_") else None
    return {"text/plain": lines(text)} if html is None else {"text/html": lines(html), "text/plain": lines(text)}


def _picture(png: bytes, text: str) -> dict[str, Any]:
    """A picture as PNG or JPEG, whichever is smaller: photographs have noise, which PNG stores in full."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(file, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    smaller = "image/jpeg" if len(file.getvalue()) < len(png) else "image/png"
    stored = file.getvalue() if smaller == "image/jpeg" else png
    return {smaller: base64.b64encode(stored).decode(), "text/plain": lines(text)}


def lines(text: str) -> list[str]:
    """Text as notebooks store it: a list of lines with their ends."""
    return text.splitlines(keepends=True)
