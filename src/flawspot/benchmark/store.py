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
from flawspot.errors import FlawspotError
from flawspot.files import special_kind
from flawspot.texts import visible

SCHEMA_VERSION = 1
_APPLICATION = 0x666C7370  # "flsp", so that another program's database is not taken for a store
_BUSY_SECONDS = 60.0

_SCHEMA = """
CREATE TABLE runs (
    key TEXT PRIMARY KEY, status TEXT NOT NULL,
    data TEXT NOT NULL, category TEXT NOT NULL, backbone TEXT NOT NULL, layers TEXT NOT NULL, method TEXT NOT NULL,
    label TEXT NOT NULL, seed INTEGER NOT NULL, finished TEXT NOT NULL, error TEXT,
    record TEXT NOT NULL
);
CREATE TABLE claims (
    key TEXT PRIMARY KEY, token TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
    heard REAL NOT NULL
);
CREATE TABLE fingerprints (listing TEXT PRIMARY KEY, fingerprint TEXT NOT NULL);
"""


class StoreError(FlawspotError):
    """The store cannot be read or written. Stored results are safe."""


class Store:
    """See the module. Use it in a ``with`` block or close it, in one thread only.

    Attributes:
        path: path of the SQLite file.
        folder: the folder beside it, for artifacts, features and pictures.
        owner: the owner of claimed runs.
    """

    def __init__(self, path: Path, *, owner: Owner | None = None, create: bool = True) -> None:
        """Open the store at `path`, or create it.

        Raises:
            StoreError: the file cannot be opened, is not a store, or was written by a newer flawspot.
        """
        self.path, self.folder = path, path.with_name(f"{path.stem}.files")
        self.owner = owner or this_process()
        self._here = host_name()
        if not create and not path.is_file():
            raise StoreError(f"there is no store {path}: give the file that `flawspot benchmark run --store` wrote")
        with self._telling():
            for place, wanted in ((path, None), (self.folder, "a folder")):
                if place.exists() and special_kind(place) != wanted:
                    raise StoreError(f"{place} is no {wanted or 'file'}: choose another name for the store")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                # A stored run must survive a power failure.
                self._db.execute("PRAGMA synchronous = FULL")
                self._prepare()
            except BaseException:
                self._db.close()
                raise

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
            rows = self._db.execute("SELECT record FROM runs ORDER BY finished, rowid").fetchall()
        try:
            found = [Record.from_json(text) for (text,) in rows]
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"{self.path} holds a run that cannot be read ({error}): was another program at it?"
            ) from None
        return found if every else newest(found)

    def record(self, key: str) -> Record | None:
        """The run whose key begins with `key`; None if there is none or more than one."""
        with self._telling():
            rows = self._db.execute(
                "SELECT record FROM runs WHERE substr(key, 1, ?) = ? LIMIT 2", (len(key), key)
            ).fetchall()
        return Record.from_json(rows[0][0]) if len(rows) == 1 else None

    def fingerprint(self, listing: str) -> str | None:
        """The fingerprint stored for a listing by `remember_fingerprint`; None if there is none."""
        with self._telling():
            row = self._db.execute("SELECT fingerprint FROM fingerprints WHERE listing = ?", (listing,)).fetchone()
        return None if row is None else str(row[0])

    def remember_fingerprint(self, listing: str, fingerprint: str) -> None:
        """Store the fingerprint of files under a hash of their names, sizes and times, to avoid computing it again."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO fingerprints VALUES (?, ?)", (listing, fingerprint))

    def _prepare(self) -> None:
        db = self._db
        version, application = (
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
        )
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and application != _APPLICATION:
            raise StoreError(f"{self.path} is a database of another program: choose another file")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was written by a newer flawspot (schema {version}; this one knows {SCHEMA_VERSION}): "
                "update with `pip install -U flawspot`"
            )
        if not tables:
            self._use_log()
            with self._writing():
                # Another process may have created them in the meantime.
                if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    for statement in _SCHEMA.split(";"):
                        db.execute(statement)
                    db.execute(f"PRAGMA application_id = {_APPLICATION}")
                    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _use_log(self) -> None:
        # SQLite does not wait for its lock here, and another process may be doing the same.
        for _ in range(100):
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                time.sleep(0.05)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One exclusive write transaction."""
        with self._telling():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"the store {self.path} cannot be used: {error}. {_cure(error)}") from error
        except OSError as error:
            raise StoreError(f"the store {self.path} cannot be made: {error.strerror or error}") from error


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


def _cure(error: sqlite3.Error) -> str:
    text = str(error)
    if "full" in text or "disk I/O" in text:
        return "Free some space and run the same command again: what was stored is safe"
    if "locked" in text:
        return "Another program holds it: end that one, and run the same command again"
    if "not a database" in text or "malformed" in text:
        return "It is no store, or is damaged: choose another file"
    return "Choose a file on a local disk that you may write to"
