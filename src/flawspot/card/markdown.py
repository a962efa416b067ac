"""Builds Markdown with texts from foreign files. No such text can become markup, a link or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flawspot.texts import shortened, visible

LONGEST = 200
"""Most characters of a name that are shown."""
_MOST = 10
"""Most names of a list that are shown."""


def code(text: object) -> str:
    """A foreign text as inline code, in which Markdown ignores markup, links, mentions and HTML.

    It is one line, and unprintable characters are escaped as by `flawspot.texts.visible`. It may be in a table's cell,
    but must not be the first thing in a line.
    """
    shown = shortened(visible(str(text)), LONGEST)
    if not shown.strip():
        return "(no name)"
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"


def codes(texts: Iterable[object]) -> str:
    """Several texts separated by commas. If there are many, the first ones and the number of the others."""
    every = list(texts)
    shown = ", ".join(code(text) for text in every[:_MOST])
    return shown if len(every) <= _MOST else f"{shown} and {len(every) - _MOST} more"


def bullets(items: Iterable[str]) -> str:
    """A bulleted list of one-line texts."""
    return "\n".join(f"- {item}" for item in items)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with the first column aligned to the left, and the others, which are figures, to the right."""
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
