"""Converts texts of others, such as file names and manifests, to a form that is safe for readers and files."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def visible(text: str) -> str:
    """`text` in one line of printable characters; every other one becomes its Python escape.

    A line break becomes ``\\n``, ESC ``\\x1b``, the override of the writing direction ``\\u202e``, and a byte of a file
    name that is not UTF-8 ``\\udcff``. Spaces of any width stay. The result is valid Unicode, and applying the
    function twice changes nothing. A backslash in the text is not escaped, so the result cannot be decoded.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else _escape(c) for c in text)


def is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8. JSON and odd encodings may hold unpaired surrogates, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_whole_number(text: str, digits: int = 15) -> int | None:
    """The number, if `text` is at most `digits` decimal digits; None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


def spreadsheet_cell(text: str) -> str:
    """`text` as by `visible`, with an apostrophe before anything that a spreadsheet would read as a formula."""
    return f"'{visible(text)}" if text.startswith(_FORMULA) else visible(text)


def shortened(text: str, limit: int = 60) -> str:
    """The beginning of a text that may be long, for messages."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def counted_digits(number: int) -> str:
    """`number` as it is, or about how many digits it has: Python itself writes no more than 4,300."""
    digits = int(number.bit_length() * math.log10(2)) + 1
    return str(number) if digits <= 30 else f"a number of about {digits} digits"


def counted(count: int, noun: str) -> str:
    """``1 image``, ``2 images``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: Iterable[str], most: int = 20) -> str:
    """Names with commas between them; of many, the first ones and how many there are more."""
    every = list(names)
    shown = ", ".join(every[:most])
    return shown if len(every) <= most else f"{shown} and {len(every) - most} more"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
