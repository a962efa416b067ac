"""The chain of a record's rows. Each row holds the hash of the row before, so that the next row shows if one was
changed, removed or moved."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from flawspot.errors import FlawspotError

GENESIS = "0" * 64
"""Stands for the previous hash in the first row."""


class RowError(FlawspotError):
    """A row is damaged: it differs from what was written."""


@dataclass(frozen=True)
class Row:
    """One row of a record.

    Attributes:
        number: row number from 1, without gaps.
        time: when it was written, UTC, as ``2026-01-31T12:00:00.000000Z``.
        kind: kind of the row: ``result``, ``word``, ``artifact``, ``candidate``, ``update``, ``drift``, ``station`` or
            ``removed``.
        body: JSON text, hashed as exactly this text.
        previous: the hash of the row before.
        hash: SHA-256 of all these fields, in hexadecimal digits.
    """

    number: int
    time: str
    kind: str
    body: str
    previous: str
    hash: str

    @property
    def content(self) -> dict[str, Any]:
        """The body as plain values.

        Raises:
            RowError: it was damaged.
        """
        found: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(self.body)
        if not isinstance(found, dict):
            raise RowError(f"row {self.number} of the record is damaged: run `flawspot audit verify`")
        return found

    def as_dict(self) -> dict[str, Any]:
        """The body with the row's own number, time, kind and hash before it, in the form of the API."""
        return {"number": self.number, "time": self.time, "kind": self.kind, "hash": self.hash, **self.content}


def hashed(number: int, time: str, kind: str, body: str, previous: str) -> str:
    """The hash of a row: SHA-256 over the JSON list of its parts, UTF-8, without spaces."""
    text = json.dumps([number, time, kind, body, previous], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def following(previous: Row | None, time: str, kind: str, content: dict[str, Any]) -> Row:
    """The row that comes after `previous`."""
    number, before = (1, GENESIS) if previous is None else (previous.number + 1, previous.hash)
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True)
    return Row(number, time, kind, body, before, hashed(number, time, kind, body, before))


@dataclass(frozen=True)
class Break:
    """A place where the chain is broken.

    Attributes:
        number: number of the row where it shows.
        reason: what is wrong there, in one line.
    """

    number: int
    reason: str


def breaks(rows: Iterable[Row]) -> Iterator[Break]:
    """Yield every place where a row does not follow the one before. Rows come in the order of their numbers.

    After a break the check continues from the row found there. One changed row is therefore one break, or two if its
    hash was recomputed.
    """
    number, before = 0, GENESIS
    for row in rows:
        if row.number != number + 1:
            missing = (
                f"rows {number + 1} to {row.number - 1} are" if row.number > number + 2 else f"row {number + 1} is"
            )
            yield Break(row.number, f"{missing} missing before row {row.number}")
        elif row.previous != before:
            yield Break(row.number, f"row {row.number} does not follow row {number}, which was changed or replaced")
        if hashed(row.number, row.time, row.kind, row.body, row.previous) != row.hash:
            yield Break(row.number, f"row {row.number} was changed: its hash does not fit its contents")
        number, before = row.number, row.hash
