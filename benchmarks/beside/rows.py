"""What has been measured, a JSON line each, so that a run that was ended goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beside.talking import SideError
from flawspot.files import write_bytes

Row = dict[str, Any]


class Rows:
    """The rows in a file.

    Args:
        file: made where it is not there; a last line that was not written to its end is dropped.
        settings: of the run. Rows of other settings are not to be mixed with its own.

    Raises:
        SideError: the file is of other settings, or holds something else.
    """

    def __init__(self, file: Path, settings: Mapping[str, Any]) -> None:
        self._file = file
        self._rows: list[Row] = []
        if file.exists():
            self._rows = _whole(file)
        if not self._rows:
            self.add({"row": "settings", **settings})
        there = {name: value for name, value in self._rows[0].items() if name != "row"}
        other = [name for name in {**there, **settings} if there.get(name) != settings.get(name)]
        if self._rows[0].get("row") != "settings" or other:
            told = ", ".join(f"{name} {there.get(name)!r} and not {settings.get(name)!r}" for name in other)
            raise SideError(f"{file} is of another run ({told}): give the same options, or another --work")

    def add(self, row: Row) -> None:
        """Keep a row, on the disk before anything goes on."""
        with self._file.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._rows.append(row)

    def find(self, **wanted: Any) -> Row | None:
        """The last row with these values, or None."""
        fitting = [row for row in self._rows if all(row.get(name) == value for name, value in wanted.items())]
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
        raise SideError(f"{file} holds something other than rows: remove it, or give another --work") from None
    if not all(isinstance(row, dict) for row in rows):
        raise SideError(f"{file} holds something other than rows: remove it, or give another --work")
    return rows
