"""Reading ahead: the next photographs are decoded by other threads while the network looks at the present one.

Pillow's decoders and zlib let go of Python's global lock, so threads are enough: nothing is copied between processes,
and nothing differs between operating systems.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORKERS = min(os.cpu_count() or 1, 4)
"""Threads by default. More would decode faster than a small device's network can look at photographs."""

AHEAD = 4
"""Results held or in the making by default: photographs of 12 megapixels take 36 MB each."""


def prefetch(
    items: Iterable[T], read: Callable[[T], R], *, workers: int = WORKERS, ahead: int = AHEAD
) -> Iterator[tuple[T, R | Exception]]:
    """Yield each item with ``read(item)``, in the order of `items`, while other threads read the next ones.

    What `read` raises is yielded in the place of its result, so that one bad file does not end a batch; the caller
    tells them apart with ``isinstance``. A result or exception is let go of as soon as it is yielded.

    Closing the iterator, which the end of a ``for`` loop by an exception or Ctrl-C does as well, drops what has not
    begun and waits for the at most `workers` calls that have.

    Args:
        items: taken one by one in the caller's thread, at most `ahead` + 1 beyond those yielded; may be endless.
        read: called from other threads, several at once; it must not touch what they share.
        workers: threads; 0 reads in the caller's thread, one at a time.
        ahead: how many results there may be, done or in the making, beyond the one yielded; at least 1. It bounds the
            memory.

    Raises:
        ValueError: `workers` below 0 or `ahead` below 1.
    """
    if workers < 0 or ahead < 1:
        raise ValueError(f"workers must be at least 0 and ahead at least 1, not {workers} and {ahead}")

    def attempt(item: T) -> R | Exception:
        try:
            return read(item)
        except Exception as error:
            return error

    return _in_turn(items, attempt) if workers == 0 else _ahead(items, attempt, workers, ahead)


def _in_turn(items: Iterable[T], attempt: Callable[[T], R]) -> Iterator[tuple[T, R]]:
    for item in items:
        yield item, attempt(item)


def _ahead(items: Iterable[T], attempt: Callable[[T], R], workers: int, ahead: int) -> Iterator[tuple[T, R]]:
    pool = ThreadPoolExecutor(min(workers, ahead), thread_name_prefix="flawspot-prefetch")
    pending: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            pending.append((item, pool.submit(attempt, item)))
            if len(pending) > ahead:
                yield _next(pending)
        while pending:
            yield _next(pending)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _next(pending: deque[tuple[T, Future[R]]]) -> tuple[T, R]:
    item, future = pending.popleft()
    return item, future.result()  # waits
