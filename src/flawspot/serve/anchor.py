"""Anchors: number and hash of one row, kept outside the record, so that a cut-off end is noticed.

A chain alone cannot show that its last rows are missing. The newest anchor is in the file ``head`` beside the record.
Others are wherever a number and its hash were sent: in answers of the API, in messages to other systems, on paper.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from flawspot.files import write_bytes
from flawspot.serve.chain import Row
from flawspot.serve.record import Record, RecordError
from flawspot.texts import shortened

NAME = "head"
"""Name of the file beside the record, which holds one line: ``NUMBER HASH``."""
_FORM = re.compile(r"([1-9][0-9]{0,17})[ :]([0-9a-fA-F]{64})")
_LONGEST = 200


@dataclass(frozen=True)
class Anchor:
    """The number and hash of one row, as noted outside the record.

    Attributes:
        number: of the row, from 1 on.
        hash: its hash, 64 hexadecimal digits in lower case.
    """

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"

    @classmethod
    def of(cls, row: Row) -> Anchor:
        """The anchor of a row."""
        return cls(row.number, row.hash)

    @classmethod
    def parse(cls, text: str) -> Anchor | None:
        """Read ``NUMBER:HASH`` or ``NUMBER HASH``; None if `text` is neither."""
        found = _FORM.fullmatch(text.strip())
        return None if found is None else cls(int(found[1]), found[2].lower())


def read_anchor(path: Path) -> Anchor | None:
    """The anchor in the file `path`; None if there is no such file.

    Raises:
        RecordError: it cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode("ascii", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordError(f"cannot read the anchor {path}: {error.strerror or error}") from error
    found = Anchor.parse(text)
    if found is None:
        raise RecordError(
            f"{path} is not an anchor: it holds {shortened(repr(text))} instead of a number and a hash; find out who "
            "wrote it, then move it away"
        )
    return found


def write_anchor(record: Record) -> Anchor | None:
    """Write the record's last row to the file ``head`` beside it. None for an empty record.

    The row that the file names so far must still be in the record: overwriting an anchor would hide that the end was
    cut off.

    Raises:
        RecordError: the row is missing from the record, or the file cannot be read.
        FlawspotError: it cannot be written.
    """
    path = record.path.with_name(NAME)
    before, last = read_anchor(path), record.last
    if before is not None:
        row = record.row(before.number)
        if row is None or row.hash != before.hash:
            gone = "is missing from it" if row is None else "is a different one there"
            raise RecordError(
                f"{record.path} was changed or cut off: row {before.number}, which {path} names, {gone}. Keep both as "
                "they are, and run `flawspot audit verify`"
            )
    if last is None:
        return None
    anchor = Anchor.of(last)
    if anchor != before:
        write_bytes(path, f"{anchor.number} {anchor.hash}\n".encode("ascii"))
    return anchor
