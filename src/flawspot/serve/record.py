"""The record of a station: an append-only SQLite file whose rows are chained by their hashes."""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from flawspot.errors import FlawspotError
from flawspot.serve.chain import Break, Row, breaks, following
from flawspot.serve.readers import Readers
from flawspot.serve.wanted import HOLDING as HOLDING
from flawspot.serve.wanted import Wanted as Wanted
from flawspot.serve.wanted import clauses_of
from flawspot.texts import visible

SCHEMA_VERSION = 1
_APPLICATION = 0x666C7372  # "flsr", so that another program's database is not taken for a record
_BUSY_SECONDS = 10.0
_PART = 1000
"""Rows that are read at once when there may be many."""
_COLUMNS = "number, time, kind, body, previous, hash"
# Columns for searching are computed from the hashed body, so they cannot differ from it.
SCHEMA = """
CREATE TABLE rows (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    previous TEXT NOT NULL, hash TEXT NOT NULL,
    verdict TEXT GENERATED ALWAYS AS (json_extract(body, '$.verdict')) VIRTUAL,
    detector TEXT GENERATED ALWAYS AS (json_extract(body, '$.detector')) VIRTUAL,
    part TEXT GENERATED ALWAYS AS (json_extract(body, '$.part')) VIRTUAL,
    picture TEXT GENERATED ALWAYS AS (json_extract(body, '$.picture')) VIRTUAL,
    item TEXT GENERATED ALWAYS AS (json_extract(body, '$.item')) VIRTUAL,
    subject INTEGER GENERATED ALWAYS AS (json_extract(body, '$.result')) VIRTUAL
);
CREATE UNIQUE INDEX rows_item ON rows (item) WHERE item IS NOT NULL;
CREATE INDEX rows_kind ON rows (kind, verdict, number);
CREATE INDEX rows_time ON rows (time, kind, verdict);
CREATE INDEX rows_picture ON rows (picture) WHERE picture IS NOT NULL;
CREATE INDEX rows_subject ON rows (subject) WHERE subject IS NOT NULL;
CREATE TRIGGER rows_never_change BEFORE UPDATE ON rows BEGIN SELECT RAISE(ABORT, 'a record is only added to'); END;
CREATE TRIGGER rows_never_go BEFORE DELETE ON rows BEGIN SELECT RAISE(ABORT, 'a record is only added to'); END;
"""


class RecordError(FlawspotError):
    """The record cannot be read or written. Its existing rows are safe."""


class Record:
    """The record of a station. Close it after use, or use it in a ``with`` block. Thread-safe.

    Attributes:
        path: path of the SQLite file.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open the record at `path`, or create it.

        Raises:
            RecordError: it cannot be opened, is not a record, or was written by a newer flawspot.
        """
        self.path = path
        self._lock, self._readers = threading.RLock(), Readers(path)
        if not create and not path.is_file():
            raise RecordError(f"there is no record {path}: give the record.sqlite in a station's folder")
        with self._telling("open"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(create)
                self._file = _file_at(path)
                self._last = self._newest()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._readers.close()
            self._db.close()

    @property
    def last(self) -> Row | None:
        """The newest row."""
        return self._last

    def add(self, kind: str, content: dict[str, Any]) -> Row:
        """Add a row. It is on the disk when this returns.

        Raises:
            RecordError: the row cannot be written (for example on a full disk), a row with the same ``item`` exists, or
                the file was removed or replaced.
        """
        with self._lock, self._telling("write to"):
            if _file_at(self.path) != self._file:
                # The system would keep writing to a file that nobody can open any more.
                raise RecordError(f"{visible(str(self.path))} was removed or replaced: start the station again")
            row = following(self._last, now(), kind, content)
            added = self._db.execute(
                f"INSERT INTO rows ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                (row.number, row.time, row.kind, row.body, row.previous, row.hash),
            )
            if added.rowcount != 1:  # a foreign trigger has swallowed it
                raise RecordError(f"{visible(str(self.path))} accepts no rows: run `flawspot audit verify`")
            self._last = row
            return row

    def row(self, number: int) -> Row | None:
        """The row with that number."""
        return next(iter(self._rows("WHERE number = ?", (number,))), None)

    def of_item(self, item: str) -> Row | None:
        """The result with that item, so that nothing is judged twice."""
        return next(iter(self._rows("WHERE item = ?", (item,))), None)

    def keeps(self, picture: str) -> bool:
        """Whether a result says that its picture is kept, or has a word on it."""
        clauses = (
            "WHERE picture = ? AND kind = 'result' AND (json_extract(body, '$.kept') OR EXISTS "
            "(SELECT 1 FROM rows w WHERE w.subject = rows.number AND w.kind = 'word')) LIMIT 1"
        )
        return bool(self._rows(clauses, (picture,)))

    def of_picture(self, picture: str) -> list[Row]:
        """All results of a picture, newest first."""
        return self._rows("WHERE picture = ? AND kind = 'result' ORDER BY number DESC", (picture,))

    def words_on(self, result: int) -> list[Row]:
        """The words on a result, oldest first."""
        return self._rows("WHERE subject = ? AND kind = 'word' ORDER BY number", (result,))

    def of_kind(self, kind: str, *, detector: str | None = None, limit: int = 100) -> list[Row]:
        """The newest rows of a kind, newest first; if `detector` is given, only of that one."""
        named, values = ("", ()) if detector is None else (" AND detector = ?", (detector,))
        return self._found(f"WHERE kind = ?{named} ORDER BY number DESC LIMIT ?", (kind, *values, limit))

    def results(self, wanted: Wanted | None = None, *, before: int | None = None, limit: int = 100) -> list[Row]:
        """Results, newest first. `before` is a row number, for paging."""
        clauses, values = clauses_of(wanted or Wanted())
        if before is not None:
            clauses.append("number < ?")
            values.append(before)
        return self._found(f"WHERE {' AND '.join(clauses)} ORDER BY number DESC LIMIT ?", (*values, limit))

    def each_result(self, wanted: Wanted) -> Iterator[Row]:
        """Every wanted result, newest first, read in parts."""
        before = None
        while rows := self.results(wanted, before=before, limit=_PART):
            yield from rows
            before = rows[-1].number

    def kept_good(self, detector: str, since: str) -> Iterator[Row]:
        """Good results without words whose pictures are kept, in order, read in parts."""
        clauses = (
            "WHERE kind = 'result' AND verdict = 'good' AND detector = ? AND time >= ? AND number > ? "
            "AND json_extract(body, '$.kept') AND NOT EXISTS "
            "(SELECT 1 FROM rows w WHERE w.subject = rows.number AND w.kind = 'word') "
            f"ORDER BY number LIMIT {_PART}"
        )
        number = 0
        while rows := self._found(clauses, (detector, since, number)):
            yield from rows
            number = rows[-1].number

    def after(self, number: int, *, limit: int = 100) -> list[Row]:
        """The rows after a number, in order."""
        return self._found("WHERE number > ? ORDER BY number LIMIT ?", (number, limit))

    def counts(self, since: str) -> dict[str, int]:
        """The number of results by verdict since a time."""
        with self._telling("read"), self._readers.reading() as database:
            found = database.execute(
                "SELECT verdict, COUNT(*) FROM rows INDEXED BY rows_time WHERE time >= ? AND kind = 'result' "
                "GROUP BY verdict",
                (since,),
            )
            return {str(verdict): int(count) for verdict, count in found}

    def each(self) -> Iterator[Row]:
        """Every row, in order, read in parts, so that others may write meanwhile."""
        number = 0
        while rows := self.after(number, limit=_PART):
            yield from rows
            number = rows[-1].number

    def verify(self) -> Iterator[Break]:
        """Follow the chain from the first row to the last; see `flawspot.serve.chain.breaks`."""
        return breaks(self.each())

    def _found(self, rest: str, values: tuple[Any, ...]) -> list[Row]:
        """Rows found by a search, which may take long."""
        with self._telling("read"), self._readers.reading() as database:
            return [Row(*found) for found in database.execute(f"SELECT {_COLUMNS} FROM rows {rest}", values)]

    def _rows(self, rest: str, values: tuple[Any, ...]) -> list[Row]:
        """Rows found by an index, which is fast."""
        with self._lock, self._telling("read"):
            return [Row(*found) for found in self._db.execute(f"SELECT {_COLUMNS} FROM rows {rest}", values)]

    def _newest(self) -> Row | None:
        return next(iter(self._rows("ORDER BY number DESC LIMIT 1", ())), None)

    def _prepare(self, create: bool) -> None:
        application, version = (
            self._db.execute(f"PRAGMA {n}").fetchone()[0] for n in ("application_id", "user_version")
        )
        tables = self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        if application == 0 and tables == 0 and create:
            self._db.execute("PRAGMA journal_mode = WAL")
            numbers = f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {SCHEMA_VERSION};"
            self._db.executescript(f"BEGIN; {numbers} {SCHEMA} COMMIT;")
        elif application != _APPLICATION:
            raise RecordError(f"{self.path} is not a record of a station: choose another folder")
        elif version != SCHEMA_VERSION:
            raise RecordError(f"{self.path} was written by a newer flawspot: update this one")
        # A power cut must not lose a row once its verdict was given.
        self._db.execute("PRAGMA synchronous = FULL")

    @contextlib.contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError, OverflowError) as error:
            reason = str(error)
            if "UNIQUE" in reason:
                raise RecordError(f"{self.path} holds this item already: nothing is judged twice") from error
            cure = "free some space" if "full" in reason else "check that the disk is present and writable"
            raise RecordError(f"cannot {what} the record {visible(str(self.path))}: {reason}; {cure}") from error


def _file_at(path: Path) -> tuple[int, int] | None:
    """The identity of the file at a path, to notice when another file replaces it; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def now() -> str:
    """The present time in the form of rows."""
    return as_time(datetime.datetime.now(datetime.UTC))


def as_time(moment: datetime.datetime) -> str:
    """A moment in the form of rows. Without a zone it is local time."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
