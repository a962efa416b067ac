"""Export results of a record as a table or JSON lines, each with the latest word on it."""

from __future__ import annotations

import csv
import datetime
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from flawspot.errors import ConfigurationError
from flawspot.files import replacing
from flawspot.progress import SILENT, Progress
from flawspot.serve.chain import Row
from flawspot.serve.record import HOLDING, Record, Wanted, as_time
from flawspot.texts import shortened, spreadsheet_cell

_CONTENT = (
    "detector", "part", "station", "origin", "name", "item", "picture", "artifact", "verdict", "score", "threshold",
    "severity", "p_value", "regions", "image_size", "inspected_share", "reason", "kept",
)  # fmt: skip
_MILLISECONDS = ("waited", "judged")
_WORD = ("number", "time", "word", "by", "role", "note", "boxes")
COLUMNS = (
    "number", "time", "hash", *_CONTENT, *(f"milliseconds_{name}" for name in _MILLISECONDS),
    *(f"word_{name}".replace("word_word", "word") for name in _WORD),
)  # fmt: skip
"""Columns of the table."""


def export(record: Record, output: Path, wanted: Wanted, progress: Progress = SILENT) -> int:
    """Write the wanted results, oldest first, all of them or nothing. Returns their number.

    Args:
        record: the record. It may be written to meanwhile.
        output: ``.csv`` in UTF-8, with texts that no spreadsheet reads as formulas; or ``.jsonl``, one JSON object a
            line as the API gives results, with ``last_word`` added.
        wanted: the filter of results.
        progress: reports the rows read.

    Raises:
        RecordError: the record cannot be read.
        RowError: a row of it was damaged.
        FlawspotError: the file cannot be written.
    """
    last, count = record.last, 0
    with replacing(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        write = _as_table(file) if output.suffix.lower() == ".csv" else _as_lines(file)
        for row in progress.track(record.each(), "Reading the record", None if last is None else last.number):
            for content, word in _of_interest(record, row, wanted):
                write(row, content, word)
                count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def moment(text: str) -> str:
    """Convert ``2026-01-31``, ``2026-01-31T12:00`` or ``2026-01-31T12:00+01:00`` to the form of times in rows.

    A time without a zone is UTC, as all times of a record are.

    Raises:
        ConfigurationError: the text is not a time.
    """
    try:
        found = datetime.datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.UTC)
        return as_time(found)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"{shortened(text)!r} is not a time: write 2026-01-31 or 2026-01-31T12:00 in UTC, or with a zone as "
            "2026-01-31T12:00+01:00"
        ) from error


def _of_interest(record: Record, row: Row, wanted: Wanted) -> Iterator[tuple[dict[str, Any], Row | None]]:
    """Yield content and latest word of a row if it is wanted, otherwise nothing."""
    if row.kind != "result":
        return
    if (wanted.since is not None and row.time < wanted.since) or (
        wanted.until is not None and row.time >= wanted.until
    ):
        return
    content = row.content
    asked = (("verdict", wanted.verdict), ("detector", wanted.detector), ("part", wanted.part))
    if any(value is not None and content.get(name) != value for name, value in asked):
        return
    words = record.words_on(row.number)
    if wanted.word not in (None, "any"):
        words = [each for each in words if (each.content.get("word") in HOLDING) == (wanted.word in HOLDING)]
    word = next(reversed(words), None)
    if wanted.word is None or (word is not None and wanted.word in ("any", word.content.get("word"))):
        yield content, word


def _as_lines(file: IO[str]) -> Callable[[Row, dict[str, Any], Row | None], None]:
    def write(row: Row, content: dict[str, Any], word: Row | None) -> None:
        said = None if word is None else word.as_dict()
        file.write(json.dumps({**row.as_dict(), "last_word": said}) + "\n")

    return write


def _as_table(file: IO[str]) -> Callable[[Row, dict[str, Any], Row | None], None]:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)

    def write(row: Row, content: dict[str, Any], word: Row | None) -> None:
        milliseconds = content.get("milliseconds")
        times = milliseconds if isinstance(milliseconds, dict) else {}
        said = {} if word is None else word.as_dict()
        values = [row.number, row.time, row.hash, *(content.get(name) for name in _CONTENT)]
        values += [*(times.get(name) for name in _MILLISECONDS), *(said.get(name) for name in _WORD)]
        writer.writerow([cell(value) for value in values])

    return write


def cell(value: Any) -> Any:
    """A value for a table. Numbers stay numbers, lists become JSON, and texts cannot be run by a spreadsheet."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return spreadsheet_cell(value if isinstance(value, str) else json.dumps(value))
