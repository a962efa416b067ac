"""Separate connections for searching a record. A search takes seconds, and no verdict should wait for it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

_KEPT = 8
"""Most unused connections that are kept open."""
_CACHE_KIB = 512
_BUSY_SECONDS = 10.0


class Readers:
    """Connections to one SQLite file in WAL mode, in which readers and the writer do not block each other.
    Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._place = f"{path.absolute().as_uri()}?mode=rw"  # rw, because otherwise a missing file would be created
        self._idle: list[sqlite3.Connection] = []
        self._is_closed = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that the block uses alone. It cannot write.

        Raises:
            the connection cannot be opened.
        """
        if self._is_closed:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database")
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._opened()
        try:
            yield connection
        finally:
            if self._is_closed or len(self._idle) >= _KEPT:
                connection.close()
            else:
                self._idle.append(connection)

    def close(self) -> None:
        """Close the connections. Those in use are closed once they are returned."""
        self._is_closed = True
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _opened(self) -> sqlite3.Connection:
        found = sqlite3.connect(
            self._place, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        found.execute("PRAGMA query_only = 1")
        found.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return found
