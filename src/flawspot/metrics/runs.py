"""Values sorted piece by piece: in memory while they fit, in a temporary file beyond that."""

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
    """Takes values in any order and gives them back as sorted runs.

    Memory: one buffer of `capacity` values, whatever their number. Disk: nothing until the buffer has been full once,
    then every value once. The file has no name on most systems, or goes with its last handle (Windows): nothing stays
    behind even when the process is killed.
    """

    def __init__(self, capacity: int, dtype: DTypeLike, folder: str | os.PathLike[str] | None = None) -> None:
        """Allocate the buffer.

        Args:
            capacity: values held in memory, and the length of a run.
            dtype: of the values.
            folder: for the temporary file; None for the system's.
        """
        # A capacity of nothing would never take a value.
        self._buffer: NDArray[Any] = np.empty(max(capacity, 1), dtype)
        self._filled = 0
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._runs = 0

    def append(self, values: NDArray[Any]) -> None:
        """Take values, (n,).

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
        """The runs so far, each ascending; to be used within the block only, and not to be written to."""
        held = self._buffer[: self._filled]
        held.sort()
        runs = [held]
        if self._file is None or not self._runs:
            yield runs
            return
        # Mapped, not read: the system brings in the pages that a search touches, and may drop them again.
        mapping = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        length = len(self._buffer)
        try:
            # Not the whole file: behind the runs may lie what a full disk cut off.
            spilled = np.frombuffer(mapping, self._buffer.dtype, self._runs * length).reshape(self._runs, length)
            runs += list(spilled)
            del spilled
            yield runs
        finally:
            # A mapping cannot close while arrays look into it. After an error the traceback may still hold some: then
            # it closes with them.
            runs.clear()
            with contextlib.suppress(BufferError):
                mapping.close()

    def close(self) -> None:
        """Give back the file and the memory."""
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
            # Where the runs end, not where the file does: a write that failed half-way may be tried again.
            self._file.seek(self._runs * self._buffer.nbytes)
            self._file.write(self._buffer.data)
            self._file.flush()
        except OSError as error:
            raise FlawspotError(
                f"cannot write a temporary file: {error.strerror or error}. Free some space or choose another folder."
            ) from error
        self._runs += 1
        self._filled = 0
