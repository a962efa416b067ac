"""Pieces of Markdown whose texts come from files of others: none of them can become markup, a link or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flawspot.texts import shortened, visible

LONGEST = 200
"""Characters of a name that are shown."""
_MOST = 10
"""Names of a list that are shown."""


def code(text: object) -> str:
    """A text of others as inline code, in which Markdown obeys nothing: no markup, links, mentions or HTML.

    In one line, with unprintable characters as `flawspot.texts.visible` has them. It may stand in a table's cell, and
    must not be the first thing in a line.
    """
    shown = shortened(visible(str(text)), LONGEST)
    if not shown.strip():
        return "(no name)"
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"


def codes(texts: Iterable[object]) -> str:
    """Several with commas between them; of many the first ones, and how many there are more."""
    every = list(texts)
    shown = ", ".join(code(text) for text in every[:_MOST])
    return shown if len(every) <= _MOST else f"{shown} and {len(every) - _MOST} more"


def bullets(items: Iterable[str]) -> str:
    """A list of one line each."""
    return "\n".join(f"- {item}" for item in items)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column to the left, the others, which are figures, to the right."""
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
