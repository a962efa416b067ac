"""Results of a record as a table or as lines of JSON, each with the last word that people have said of it."""

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
"""Of the table."""


def export(record: Record, output: Path, wanted: Wanted, progress: Progress = SILENT) -> int:
    """Write the results that are wanted, the oldest first, as a whole or not at all; returns how many.

    Args:
        record: may be written to meanwhile.
        output: ``.csv``, in UTF-8, whose texts no spreadsheet takes for formulas; or ``.jsonl``, a JSON object in each
            line, as the API gives results, with ``last_word`` besides.
        wanted: which of them.
        progress: is told of the rows.

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
    """A time as rows have it, from ``2026-01-31``, ``2026-01-31T12:00`` or ``2026-01-31T12:00+01:00``.

    Without a zone it is UTC, as all times of a record are.

    Raises:
        ConfigurationError: it is no time.
    """
    try:
        found = datetime.datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.UTC)
        return as_time(found)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"{shortened(text)!r} is no time: write it as 2026-01-31 or 2026-01-31T12:00, in UTC, or with its zone as "
            "2026-01-31T12:00+01:00"
        ) from error


def _of_interest(record: Record, row: Row, wanted: Wanted) -> Iterator[tuple[dict[str, Any], Row | None]]:
    """Content and last word of a row that is wanted; nothing of any other."""
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
    """A value as a table has it: numbers stay numbers, lists are JSON, texts are none that a spreadsheet runs."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return spreadsheet_cell(value if isinstance(value, str) else json.dumps(value))
