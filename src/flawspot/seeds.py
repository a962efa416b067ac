"""The allowed values of seeds."""

from __future__ import annotations

from flawspot.errors import ConfigurationError
from flawspot.texts import counted_digits, shortened

MAX_SEED = 2**32 - 1
"""The largest seed that every generator, database and JSON reader accepts."""


def check_seed(seed: object) -> None:
    """Refuse an invalid seed before any work.

    Raises:
        ConfigurationError: it is not a whole number from 0 to `MAX_SEED`.
    """
    if isinstance(seed, int) and not isinstance(seed, bool):
        if 0 <= seed <= MAX_SEED:
            return
        shown = counted_digits(seed)
    else:
        shown = shortened(repr(seed))
    raise ConfigurationError(f"a seed must be a whole number from 0 to {MAX_SEED}, not {shown}")
