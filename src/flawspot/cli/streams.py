"""Standard streams that take any text, and tell when they take no more."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast


class OutputError(Exception):
    """Standard output takes no more: the disk is full, or whoever read it is gone."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(f"cannot write to standard output: {reason.strerror or reason}")
        self.reader_is_gone = isinstance(reason, BrokenPipeError)


class _Guarded:
    """Standard output whose own errors can be told from those of all other files."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        with _telling():
            return self._stream.write(text)

    def flush(self) -> None:
        """See `io.TextIOBase`."""
        with _telling():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def ready() -> Iterator[None]:
    """Standard streams that are there and take any text, for the length of a ``with`` block.

    Where standard output fails within it, OutputError is raised.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this process
            setattr(sys, name, io.StringIO())
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):  # what the terminal's encoding cannot show must not end a long run
            stream.reconfigure(errors="backslashreplace")
    stdout = sys.stdout
    sys.stdout = cast(TextIO, _Guarded(stdout))
    try:
        yield
    finally:
        sys.stdout = stdout
        for stream in (stdout, sys.stderr):
            _drop_unwritten(stream)


def _drop_unwritten(stream: TextIO) -> None:
    """What a stream that takes no more still holds; Python would complain of it at the very end."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(error) from error
