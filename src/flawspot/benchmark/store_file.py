"""The SQLite file of a store: created, or opened as it is; and what to do about SQLite's errors."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from flawspot.errors import FlawspotError
from flawspot.files import real_path
from flawspot.texts import shortened

SCHEMA_VERSION = 1
_APPLICATION = 0x666C7370  # "flsp", so that another program's database is not taken for a store
_MAGIC = b"SQLite format 3\0"
_BUSY_SECONDS = 60.0
_UNWRITABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM)

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
_TABLES = ("runs", "claims", "fingerprints")


class StoreError(FlawspotError):
    """The store cannot be read or written. Stored results are safe."""


def created(path: Path) -> sqlite3.Connection:
    """The store at `path`, which is made if it is missing or empty.

    Raises:
        StoreError: it is another program's, or was written by a newer flawspot.
        sqlite3.Error: see `telling`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    with _closed_on_error(db):
        # A stored run must survive a power failure.
        db.execute("PRAGMA synchronous = FULL")
        if not _has_tables(db):
            _make_tables(db)
        _check(db, path)
    return db


def opened(path: Path) -> sqlite3.Connection:
    """The store at `path`. It is only read, as it lies there, if its disk cannot be written to.

    A file that is no store is not opened by SQLite, which might change it.

    Raises:
        StoreError: it is no store, or was written by a newer flawspot.
        sqlite3.Error: see `telling`.
    """
    real = real_path(path)
    log = real.with_name(f"{real.name}-wal")
    _check_header(path, log)
    address = real.absolute().as_uri()
    try:
        return _connected(f"{address}?mode=rw", path)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _UNWRITABLE:
            raise
        if log.exists() and log.stat().st_size:
            raise StoreError(
                f"the newest runs of {path} are in {log.name} beside it, which can only be read where it can be "
                "written to: copy both to another folder"
            ) from None
        return _connected(f"{address}?mode=ro&immutable=1", path)


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One exclusive write transaction."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the system into a `StoreError` with a cure."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the store {path} cannot be used: {shortened(str(error), 200)}. {_cure(error)}") from error
    except OSError as error:
        raise StoreError(f"the store {path} cannot be opened: {error.strerror or error}") from error


def _check_header(path: Path, log: Path) -> None:
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        raise StoreError(f"{path} is empty: give the file that `flawspot benchmark run --store` wrote")
    if not header.startswith(_MAGIC):
        raise StoreError(f"{path} is no store: choose another file, which `flawspot benchmark run --store` wrote")
    if int.from_bytes(header[68:72], "big") != _APPLICATION and not log.exists():  # else it may stand in the log
        raise _of_another_program(path)


def _connected(address: str, path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(address, timeout=_BUSY_SECONDS, isolation_level=None, uri=True)
    with _closed_on_error(db):
        db.execute("PRAGMA synchronous = FULL")
        _check(db, path)
    return db


@contextlib.contextmanager
def _closed_on_error(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.close()
        raise


def _has_tables(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _check(db: sqlite3.Connection, path: Path) -> None:
    version, application = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
    if application != _APPLICATION:
        raise _of_another_program(path)
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer flawspot (schema {version}; this one knows {SCHEMA_VERSION}): "
            "update with `pip install -U flawspot`"
        )
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    missing = [name for name in _TABLES if name not in there]
    if missing:
        raise StoreError(f"{path} is damaged, it has no table {missing[0]}: use a copy from before, or another file")


def _of_another_program(path: Path) -> StoreError:
    return StoreError(f"{path} is a database of another program: choose another file")


def _make_tables(db: sqlite3.Connection) -> None:
    _use_log(db)
    with transaction(db):
        if not _has_tables(db):  # another process may have made them in the meantime
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _use_log(db: sqlite3.Connection) -> None:
    # SQLite does not wait for its lock here, and another process may be doing the same.
    for _ in range(100):
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.05)


def _cure(error: sqlite3.Error) -> str:
    text = str(error)
    if "full" in text or "disk I/O" in text:
        return "Free some space and run the same command again: what was stored is safe"
    if "locked" in text:
        return "Another program holds it: end that one, and run the same command again"
    if "not a database" in text:
        return "It is no store, or is damaged: choose another file"
    if any(words in text for words in ("malformed", "no such", "decode")):
        return "It is damaged: use a copy from before, or another file"
    return "Choose a file on a local disk that you may write to"
