"""The reason why a run has failed, in one line."""

from __future__ import annotations

import errno

from flawspot.errors import FlawspotError


def reason(error: BaseException) -> str:
    """One line for an error, with its cure if there is one."""
    text = (str(error).strip().splitlines() or [""])[0]
    words = text.lower()
    memory = "allocate memory" in words or "bad_alloc" in words or "bad allocation" in words
    if isinstance(error, MemoryError) or memory:
        return f"out of memory: run fewer workers, a smaller bank or a smaller input size ({text or 'MemoryError'})"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk is full: free some space and run again with --retry-failed ({text})"
    if isinstance(error, FlawspotError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
