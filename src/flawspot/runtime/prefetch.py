"""Reads ahead: other threads decode the next photographs while the network works on the present one.

Pillow's decoders and zlib release Python's global lock, so threads are enough. Nothing is copied between processes, and
nothing differs between operating systems.
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
"""Default number of threads. More would decode faster than a small device's network can process photographs."""

AHEAD = 4
"""Default number of results held or in progress. Photographs of 12 megapixels take 36 MB each."""


def prefetch(
    items: Iterable[T], read: Callable[[T], R], *, workers: int = WORKERS, ahead: int = AHEAD
) -> Iterator[tuple[T, R | Exception]]:
    """Yield each item with ``read(item)``, in the order of `items`, while other threads read the next ones.

    If `read` raises an exception, it is yielded as the result, so that one bad file does not end a batch. Callers check
    with ``isinstance``. A result or exception is released as soon as it is yielded.

    Closing the iterator drops calls that have not begun, and waits for the at most `workers` ones that have. A ``for``
    loop that ends by an exception or Ctrl-C closes it too.

    Args:
        items: taken one by one in the caller's thread, at most `ahead` + 1 beyond the yielded ones. It may be endless.
        read: called from other threads, several at a time. It must not change shared objects.
        workers: threads; 0 reads in the caller's thread, one at a time.
        ahead: the most results, done or in progress, beyond the yielded one; at least 1. It limits the memory.

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
