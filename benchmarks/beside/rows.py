"""The rows of a run beside the peer, which begin with its settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kept_rows import KeptRows, Row

from beside.talking import SideError
from flawspot.errors import DataError


class Rows:
    """Rows in a file of one run.

    Args:
        file: see `kept_rows.KeptRows`.
        settings: of the run. Rows of other settings are not to be mixed with its own.

    Raises:
        SideError: the file is of other settings, or holds something else.
    """

    def __init__(self, file: Path, settings: Mapping[str, Any]) -> None:
        try:
            kept = KeptRows(file)
        except DataError as error:
            raise SideError(str(error)) from None
        self.add, self.find = kept.add, kept.find
        if not kept.rows:
            self.add({"row": "settings", **settings})
        there: Row = {name: value for name, value in kept.rows[0].items() if name != "row"}
        other = [name for name in {**there, **settings} if there.get(name) != settings.get(name)]
        if kept.rows[0].get("row") != "settings" or other:
            told = ", ".join(f"{name} {there.get(name)!r} and not {settings.get(name)!r}" for name in other)
            raise SideError(f"{file} is of another run ({told}): give the same options, or another --work")
