"""Numbers in environment variables."""

from __future__ import annotations

import os

from flawspot.errors import ConfigurationError
from flawspot.texts import shortened

MAX_THREADS = 1024
"""Of a detector, and of runs at once; no machine has more."""


def whole_number(name: str, low: int, high: int) -> int | None:
    """The whole number that environment variable `name` holds; None where it is not set, or empty.

    Raises:
        ConfigurationError: it holds something else, or a number out of [`low`, `high`].
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high:
        return int(text)
    raise ConfigurationError(f"{name} is {shortened(text)!r}: set it to a whole number from {low} to {high:,}, or not")
