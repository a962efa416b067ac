"""The store of a benchmark: one SQLite file that survives crashes, and a folder beside it for artifacts and pictures.

A run is claimed before it starts, so that two processes on one store never do the same run. Its result is stored in one
transaction when it ends, so that a killed process leaves either nothing of a run or all of it. If the owner of a claim
is dead, the run is free again. SQLite's write-ahead log needs a local disk. For several machines use the Ray engine,
where one process writes.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Self

from flawspot.benchmark.owner import HEARTBEAT_SECONDS, Owner, host_name, this_process
from flawspot.benchmark.record import DONE, Record, newest
from flawspot.benchmark.store_file import StoreError, created, opened, telling, transaction
from flawspot.files import real_path, special_kind
from flawspot.texts import is_unicode, shortened, visible

__all__ = ["Heartbeat", "Store", "StoreError"]

_SELECT = "SELECT CAST(key AS BLOB), CAST(record AS BLOB) FROM runs"
"""As bytes, so that the run whose text is none can be named."""


class Store:
    """See the module. Use it in a ``with`` block or close it, in one thread only.

    Attributes:
        path: path of the SQLite file.
        folder: the folder beside it, for artifacts, features and pictures.
        owner: the owner of claimed runs.
    """

    def __init__(self, path: Path, *, owner: Owner | None = None, create: bool = True) -> None:
        """Open the store at `path`, or create it.

        Args:
            path: the file, or a link to it.
            owner: the owner of claimed runs; None for this process.
            create: create a missing store. Otherwise it is only opened, for reading alone where the disk cannot be
                written to, and a file that is no store is not changed.

        Raises:
            StoreError: the file cannot be opened, is not a store, or was written by a newer flawspot.
        """
        real = real_path(path)
        self.path, self.folder = path, real.with_name(f"{real.stem}.files")
        self.owner = owner or this_process()
        self._here = host_name()
        if not create and not path.is_file():
            raise StoreError(f"there is no store {path}: give the file that `flawspot benchmark run --store` wrote")
        with self._telling():
            for place, wanted in ((path, None), (self.folder, "a folder")):
                if place.exists() and special_kind(place) != wanted:
                    raise StoreError(f"{place} is no {wanted or 'file'}: choose another name for the store")
            self._db = created(path) if create else opened(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def claim(self, key: str, *, again: Collection[str] = ()) -> bool:
        """Claim a run for this owner. True if it may start now.

        Args:
            key: key of the run.
            again: statuses of finished runs that may be done again.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._writing() as db:
            row = db.execute("SELECT status FROM runs WHERE key = ?", (key,)).fetchone()
            if row is not None and row[0] not in again:
                return False
            row = db.execute("SELECT host, pid, started, token, heard FROM claims WHERE key = ?", (key,)).fetchone()
            if row is not None and Owner(*row[:4]).is_alive(row[4], self._here):
                return False
            owner = self.owner
            db.execute(
                "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?)",
                (key, owner.token, owner.host, owner.pid, owner.started, time.time()),
            )
            return True

    def release(self, key: str | None = None) -> None:
        """Release a claimed run, or all claims of this owner."""
        with self._writing() as db:
            if key is None:
                db.execute("DELETE FROM claims WHERE token = ?", (self.owner.token,))
            else:
                db.execute("DELETE FROM claims WHERE key = ? AND token = ?", (key, self.owner.token))

    def heartbeat(self) -> None:
        """Record that this owner is alive."""
        with self._writing() as db:
            db.execute("UPDATE claims SET heard = ? WHERE token = ?", (time.time(), self.owner.token))

    def finish(self, record: Record) -> bool:
        """Store a run's result and release the run, in one transaction.

        Returns:
            False if the run is done already: this owner counted as dead, and another one was faster. The first result
            stays.

        Raises:
            StoreError: the store cannot be written.
        """
        cell = record.cell
        with self._writing() as db:
            db.execute("DELETE FROM claims WHERE key = ? AND token = ?", (record.key, self.owner.token))
            row = db.execute("SELECT status FROM runs WHERE key = ?", (record.key,)).fetchone()
            if row is not None and row[0] == DONE:
                return False
            texts = (cell.data, cell.category, cell.backbone, cell.layers, cell.method, cell.label)
            db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(record.key, record.status, *map(visible, texts), cell.seed, record.finished),
                    *(None if record.error is None else visible(record.error), record.to_json()),
                ),
            )
            return True

    def statuses(self) -> dict[str, str]:
        """The status of every stored run by its key."""
        with self._telling():
            return dict(self._db.execute("SELECT key, status FROM runs"))

    def claimed(self) -> set[str]:
        """Keys of the runs claimed by living owners, including this one."""
        with self._telling():
            rows = self._db.execute("SELECT key, host, pid, started, token, heard FROM claims").fetchall()
        return {row[0] for row in rows if Owner(*row[1:5]).is_alive(row[5], self._here)}

    def records(self, *, every: bool = False) -> list[Record]:
        """The stored runs, in the order of storing.

        Args:
            every: all runs, also older ones of the same cell with other data, weights or code. Otherwise only those
                that `newest` chooses.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._telling():
            rows = self._db.execute(f"{_SELECT} ORDER BY finished, rowid").fetchall()
        found = [self._read(*row) for row in rows]
        return found if every else newest(found)

    def record(self, key: str) -> Record | None:
        """The run whose key begins with `key`; None if there is none or more than one.

        Raises:
            StoreError: the store or the run cannot be read.
        """
        with self._telling():
            rows = self._db.execute(
                f"{_SELECT} WHERE substr(key, 1, ?) = ? LIMIT 2", (len(key), key) if is_unicode(key) else (1, "")
            ).fetchall()
        return self._read(*rows[0]) if len(rows) == 1 else None

    def _read(self, key: bytes | None, record: bytes | None) -> Record:
        name = (key or b"").decode(errors="replace")
        try:
            found = Record.from_json((record or b"").decode())
            if visible(found.key) != visible(name):
                raise ValueError(f"key is {shortened(found.key)!r}")
        except ValueError as error:
            why = "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else shortened(str(error), 300)
            raise StoreError(
                f"the run {shortened(name, 64)} in {self.path} cannot be read: {why}. Was "
                "another program at the store? Use a copy from before"
            ) from None
        return found

    def fingerprint(self, listing: str) -> str | None:
        """The fingerprint stored for a listing by `remember_fingerprint`; None if there is none."""
        with self._telling():
            row = self._db.execute("SELECT fingerprint FROM fingerprints WHERE listing = ?", (listing,)).fetchone()
        return None if row is None else str(row[0])

    def remember_fingerprint(self, listing: str, fingerprint: str) -> None:
        """Store the fingerprint of files under a hash of their names, sizes and times, to avoid computing it again."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO fingerprints VALUES (?, ?)", (listing, fingerprint))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._telling(), transaction(self._db) as db:
            yield db

    def _telling(self) -> contextlib.AbstractContextManager[None]:
        return telling(self.path)


class Heartbeat:
    """A thread that sends an owner's heartbeat every few seconds in a ``with`` block. It has its own connection."""

    def __init__(self, store: Store, seconds: float = HEARTBEAT_SECONDS) -> None:
        self._path, self._owner, self._seconds = store.path, store.owner, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        while not self._stop.wait(self._seconds):
            # With a full disk or a busy store, the next beat may succeed. Losing a beat is better than ending the work.
            with contextlib.suppress(StoreError), Store(self._path, owner=self._owner, create=False) as store:
                store.heartbeat()
