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
"""Rows that are read at once where there may be many."""
_COLUMNS = "number, time, kind, body, previous, hash"
# What is searched for is computed from the body that is hashed, and so cannot say anything else than the body.
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
    """The record cannot be read or written; what it holds is safe."""


class Record:
    """See the module. Used in a ``with`` block, or closed by hand; by any threads.

    Attributes:
        path: of the SQLite file.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open the record at `path`, or make it.

        Raises:
            RecordError: it cannot be opened, is no record, or was written by a newer flawspot.
        """
        self.path = path
        self._lock, self._readers = threading.RLock(), Readers(path)
        if not create and not path.is_file():
            raise RecordError(f"there is no record {path}: give the record.sqlite in the folder of a station")
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
        """Let go of the file."""
        with self._lock:
            self._readers.close()
            self._db.close()

    @property
    def last(self) -> Row | None:
        """The newest row."""
        return self._last

    def add(self, kind: str, content: dict[str, Any]) -> Row:
        """Add a row; it is on the disk when this returns.

        Raises:
            RecordError: it cannot be written (a full disk), a row with the same ``item`` is there already, or the file
                is no longer in its place.
        """
        with self._lock, self._telling("write to"):
            if _file_at(self.path) != self._file:
                # The system would go on writing into a file that nobody can open any more.
                raise RecordError(f"{visible(str(self.path))} was removed or replaced: start the station again")
            row = following(self._last, now(), kind, content)
            added = self._db.execute(
                f"INSERT INTO rows ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                (row.number, row.time, row.kind, row.body, row.previous, row.hash),
            )
            if added.rowcount != 1:  # a trigger of somebody else has swallowed it
                raise RecordError(f"{visible(str(self.path))} takes no rows: see what `flawspot audit verify` says")
            self._last = row
            return row

    def row(self, number: int) -> Row | None:
        """The row of that number."""
        return next(iter(self._rows("WHERE number = ?", (number,))), None)

    def of_item(self, item: str) -> Row | None:
        """The result of that item, by which nothing is judged twice."""
        return next(iter(self._rows("WHERE item = ?", (item,))), None)

    def keeps(self, picture: str) -> bool:
        """Whether a result says that its picture is kept, or people have spoken of one."""
        clauses = (
            "WHERE picture = ? AND kind = 'result' AND (json_extract(body, '$.kept') OR EXISTS "
            "(SELECT 1 FROM rows w WHERE w.subject = rows.number AND w.kind = 'word')) LIMIT 1"
        )
        return bool(self._rows(clauses, (picture,)))

    def of_picture(self, picture: str) -> list[Row]:
        """Every result of a picture, the newest first."""
        return self._rows("WHERE picture = ? AND kind = 'result' ORDER BY number DESC", (picture,))

    def words_on(self, result: int) -> list[Row]:
        """What people have said of a result, the oldest first."""
        return self._rows("WHERE subject = ? AND kind = 'word' ORDER BY number", (result,))

    def of_kind(self, kind: str, *, detector: str | None = None, limit: int = 100) -> list[Row]:
        """The newest rows of a kind, and of a detector where one is named, the newest first."""
        named, values = ("", ()) if detector is None else (" AND detector = ?", (detector,))
        return self._found(f"WHERE kind = ?{named} ORDER BY number DESC LIMIT ?", (kind, *values, limit))

    def results(self, wanted: Wanted | None = None, *, before: int | None = None, limit: int = 100) -> list[Row]:
        """Results, the newest first; `before` a number, for pages of them."""
        clauses, values = clauses_of(wanted or Wanted())
        if before is not None:
            clauses.append("number < ?")
            values.append(before)
        return self._found(f"WHERE {' AND '.join(clauses)} ORDER BY number DESC LIMIT ?", (*values, limit))

    def each_result(self, wanted: Wanted) -> Iterator[Row]:
        """Every result that is wanted, the newest first, read in parts."""
        before = None
        while rows := self.results(wanted, before=before, limit=_PART):
            yield from rows
            before = rows[-1].number

    def kept_good(self, detector: str, since: str) -> Iterator[Row]:
        """Good results whose pictures are kept and that nobody spoke of, in order, read in parts."""
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
        """The rows that come after a number, in order."""
        return self._found("WHERE number > ? ORDER BY number LIMIT ?", (number, limit))

    def counts(self, since: str) -> dict[str, int]:
        """How many results of each verdict there are since a time."""
        with self._telling("read"), self._readers.reading() as database:
            found = database.execute(
                "SELECT verdict, COUNT(*) FROM rows INDEXED BY rows_time WHERE time >= ? AND kind = 'result' "
                "GROUP BY verdict",
                (since,),
            )
            return {str(verdict): int(count) for verdict, count in found}

    def each(self) -> Iterator[Row]:
        """Every row, in order, read in parts: others may write meanwhile."""
        number = 0
        while rows := self.after(number, limit=_PART):
            yield from rows
            number = rows[-1].number

    def verify(self) -> Iterator[Break]:
        """Follow the chain from the first row to the last; see `flawspot.serve.chain.breaks`."""
        return breaks(self.each())

    def _found(self, rest: str, values: tuple[Any, ...]) -> list[Row]:
        """By a search, which may take long."""
        with self._telling("read"), self._readers.reading() as database:
            return [Row(*found) for found in database.execute(f"SELECT {_COLUMNS} FROM rows {rest}", values)]

    def _rows(self, rest: str, values: tuple[Any, ...]) -> list[Row]:
        """By an index, at once."""
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
            raise RecordError(f"{self.path} is no record of a station: choose another folder")
        elif version != SCHEMA_VERSION:
            raise RecordError(f"{self.path} was written by a newer flawspot: update this one")
        # Even power may fail once a verdict was given.
        self._db.execute("PRAGMA synchronous = FULL")

    @contextlib.contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError, OverflowError) as error:
            reason = str(error)
            if "UNIQUE" in reason:
                raise RecordError(f"{self.path} holds this item already: nothing is judged twice") from error
            cure = "free some space" if "full" in reason else "see that the disk is there and may be written"
            raise RecordError(f"cannot {what} the record {visible(str(self.path))}: {reason}; {cure}") from error


def _file_at(path: Path) -> tuple[int, int] | None:
    """What tells the file at a path from another one that takes its place; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def now() -> str:
    """The time as rows have it."""
    return as_time(datetime.datetime.now(datetime.UTC))


def as_time(moment: datetime.datetime) -> str:
    """A moment as rows have it; without a zone it is one of the clock here."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
