"""Standard streams that accept any text, and raise an error of their own when writing fails."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast


class OutputError(Exception):
    """Standard output cannot be written: the disk is full, or its reader has ended."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(f"cannot write to standard output: {reason.strerror or reason}")
        self.reader_is_gone = isinstance(reason, BrokenPipeError)


class _Guarded:
    """Standard output whose errors can be distinguished from those of other files."""

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
    """Provide standard streams that exist and accept any text, within a ``with`` block.

    OutputError is raised if standard output fails within the block.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process
            setattr(sys, name, io.StringIO())
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):  # a character that the encoding lacks must not end a long run
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
    """Drop the text that a failed stream still holds. Python would complain of it at exit."""
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
