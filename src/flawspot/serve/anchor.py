"""Anchors: number and hash of one row, kept where the record is not, by which a cut-off end is seen.

A chain alone cannot tell that its last rows are gone. The newest anchor lies in the file ``head`` beside the record;
others are wherever a number and its hash went: in answers of the API, in messages to other systems, on paper.
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
"""Of the file beside the record: one line, ``NUMBER HASH``."""
_FORM = re.compile(r"([1-9][0-9]{0,17})[ :]([0-9a-fA-F]{64})")
_LONGEST = 200


@dataclass(frozen=True)
class Anchor:
    """One row as it was known somewhere else.

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
        """That of a row."""
        return cls(row.number, row.hash)

    @classmethod
    def parse(cls, text: str) -> Anchor | None:
        """What ``NUMBER:HASH`` or ``NUMBER HASH`` says; None where it says neither."""
        found = _FORM.fullmatch(text.strip())
        return None if found is None else cls(int(found[1]), found[2].lower())


def read_anchor(path: Path) -> Anchor | None:
    """The anchor in the file `path`; None where there is no file.

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
            f"{path} is no anchor: it holds {shortened(repr(text))} in the place of a number and a hash; find out who "
            "wrote it, then move it away"
        )
    return found


def write_anchor(record: Record) -> Anchor | None:
    """Write the record's last row into the file ``head`` beside it, unless it is there; None for an empty record.

    The row that the file has named so far must still be in the record: an anchor that is written over would hide that
    the end was cut off.

    Raises:
        RecordError: it is not, or the file cannot be read.
        FlawspotError: it cannot be written.
    """
    path = record.path.with_name(NAME)
    before, last = read_anchor(path), record.last
    if before is not None:
        row = record.row(before.number)
        if row is None or row.hash != before.hash:
            gone = "is not in it" if row is None else "is another one there"
            raise RecordError(
                f"{record.path} was changed or cut off: row {before.number}, which {path} knows, {gone}. Keep both as "
                "they are, and see what `flawspot audit verify` says"
            )
    if last is None:
        return None
    anchor = Anchor.of(last)
    if anchor != before:
        write_bytes(path, f"{anchor.number} {anchor.hash}\n".encode("ascii"))
    return anchor
