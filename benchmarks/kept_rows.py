"""What a script has measured, a JSON line each, so that a run that was ended goes on where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from flawspot.errors import DataError
from flawspot.files import write_bytes

Row = dict[str, Any]


class KeptRows:
    """The rows in a file.

    Args:
        file: made by the first `add`; a last line that was not written to its end is dropped.

    Attributes:
        rows: in the order in which they were added. Only `add` adds to them.

    Raises:
        DataError: the file holds something else.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.rows: list[Row] = _whole(file) if file.exists() else []

    def add(self, *rows: Row) -> None:
        """Keep rows, on the disk before anything goes on."""
        with self._file.open("a", encoding="utf-8", newline="\n") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows))
            file.flush()
            os.fsync(file.fileno())
        self.rows += rows

    def find(self, **wanted: Any) -> Row | None:
        """The last row with these values, or None."""
        fitting = [row for row in self.rows if all(row.get(name) == value for name, value in wanted.items())]
        return fitting[-1] if fitting else None


def _whole(file: Path) -> list[Row]:
    """The rows of `file`, which is left with whole lines only."""
    content = file.read_bytes()
    whole, _, torn = content.rpartition(b"\n")
    if torn:
        write_bytes(file, whole + b"\n" if whole else b"")
    try:
        rows = [json.loads(line) for line in whole.splitlines() if line.strip()]
    except ValueError:
        rows = [None]
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{file} holds something other than rows: remove it, or give another --work")
    return rows
