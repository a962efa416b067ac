"""Gives freed memory back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import platform
from collections.abc import Callable


def give_back_freed_memory() -> None:
    """Return memory that was freed but that the C library still holds.

    glibc keeps blocks of up to 32 MB for each thread, and so in the end several photographs. Does nothing with other C
    libraries.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    with contextlib.suppress(OSError, AttributeError):
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
        return found
    return None
