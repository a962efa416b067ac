"""Sorts values piece by piece: in memory while they fit, otherwise in a temporary file."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from flawspot.errors import FlawspotError


class SortedRuns:
    """Takes values in any order and returns them as sorted runs.

    Memory: one buffer of `capacity` values, whatever their number. Disk: nothing until the buffer is full once, then
    every value once. The file has no name on most systems, and on Windows it goes with its last handle, so nothing is
    left even if the process is killed.
    """

    def __init__(self, capacity: int, dtype: DTypeLike, folder: str | os.PathLike[str] | None = None) -> None:
        """Allocate the buffer.

        Args:
            capacity: values held in memory, and the length of a run.
            dtype: type of the values.
            folder: folder for the temporary file; None for the system's.
        """
        # A capacity of 0 would never accept a value.
        self._buffer: NDArray[Any] = np.empty(max(capacity, 1), dtype)
        self._filled = 0
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._runs = 0

    def append(self, values: NDArray[Any]) -> None:
        """Add values, (n,).

        Raises:
            FlawspotError: the temporary file cannot be written, such as to a full disk.
        """
        while len(values):
            if self._filled == len(self._buffer):
                self._spill()
            taken = values[: len(self._buffer) - self._filled]
            self._buffer[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            values = values[len(taken) :]

    @contextlib.contextmanager
    def sorted(self) -> Iterator[list[NDArray[Any]]]:
        """The runs so far, each ascending. Valid only within the block, and read-only."""
        held = self._buffer[: self._filled]
        held.sort()
        runs = [held]
        if self._file is None or not self._runs:
            yield runs
            return
        # Mapped, not read: the system loads only the pages that a search touches, and may drop them again.
        mapping = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        length = len(self._buffer)
        try:
            # Not the whole file: after the runs there may be data that a full disk cut off.
            spilled = np.frombuffer(mapping, self._buffer.dtype, self._runs * length).reshape(self._runs, length)
            runs += list(spilled)
            del spilled
            yield runs
        finally:
            # A mapping cannot close while arrays refer to it. After an error the traceback may still hold some. Then
            # the mapping closes with them.
            runs.clear()
            with contextlib.suppress(BufferError):
                mapping.close()

    def close(self) -> None:
        """Release the file and the memory."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._buffer = self._buffer[:0].copy()
        self._filled = self._runs = 0

    def _spill(self) -> None:
        self._buffer.sort()
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 -- lives as long as the object
            # At the end of the runs, not of the file: a write that failed half-way may be retried.
            self._file.seek(self._runs * self._buffer.nbytes)
            self._file.write(self._buffer.data)
            self._file.flush()
        except OSError as error:
            raise FlawspotError(
                f"cannot write a temporary file: {error.strerror or error}. Free some space or choose another folder."
            ) from error
        self._runs += 1
        self._filled = 0
