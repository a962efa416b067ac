"""The reason why a run has failed, in one line."""

from __future__ import annotations

import errno

from flawspot.benchmark.store import StoreError
from flawspot.errors import FlawspotError

_NO_PLACE = {
    errno.ENOSPC: ("the disk is full", "free some space"),
    errno.EDQUOT: ("the disk's quota is used up", "free some space"),
    errno.EROFS: ("the disk can only be read", "make it writable"),
}
"""Why no file can be written, and the cure."""


def reason(error: BaseException) -> str:
    """One line for an error, with its cure if there is one.

    Raises:
        StoreError: the error is not the run's, because no other run could write its files either.
    """
    text = (str(error).strip().splitlines() or [""])[0]
    fault = _no_place(error)
    if fault is not None:
        why, cure = _NO_PLACE[fault]
        raise StoreError(f"{why} ({text}): {cure} and start the same command again; finished runs are stored")
    words = text.lower()
    memory = "allocate memory" in words or "bad_alloc" in words or "bad allocation" in words
    if isinstance(error, MemoryError) or memory:
        return f"out of memory: run fewer workers, a smaller bank or a smaller input size ({text or 'MemoryError'})"
    if isinstance(error, FlawspotError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _no_place(error: BaseException) -> int | None:
    """The number of the error of `_NO_PLACE` that led to this one; None if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NO_PLACE:
            return cause.errno
        cause = cause.__cause__ or cause.__context__
    return None
