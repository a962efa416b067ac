"""Reads numbers from environment variables."""

from __future__ import annotations

import os

from flawspot.errors import ConfigurationError
from flawspot.texts import as_whole_number, shortened

MAX_THREADS = 1024
"""Most threads of a detector, and most runs at once; no machine has more."""


def whole_number(name: str, low: int, high: int) -> int | None:
    """The whole number in the environment variable `name`; None if it is not set or empty.

    Raises:
        ConfigurationError: it holds something else, or a number outside [`low`, `high`].
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    number = as_whole_number(text, 19)
    if number is not None and low <= number <= high:
        return number
    raise ConfigurationError(
        f"{name} is {shortened(text)!r}: set it to a whole number from {low} to {high:,}, or unset it"
    )
