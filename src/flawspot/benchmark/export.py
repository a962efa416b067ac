"""The runs of a store as one flat table: a row for each run, for spreadsheets, pandas and Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flawspot.benchmark.record import Record
from flawspot.errors import ConfigurationError
from flawspot.extras import require
from flawspot.files import check_writable, replacing
from flawspot.texts import spreadsheet_cell, visible

if TYPE_CHECKING:
    import pandas

FORMATS = (".csv", ".parquet")
_COSTS = ("paper_bytes", "paper_macs", "training_macs", "training_ram", "artifact", "artifact_bytes")
_ORIGIN = (
    *("grid", "trained", "training_images", "data_fingerprint", "weights", "weights_sha256", "code_version"),
    *("started", "finished"),
)


def rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    """A flat mapping for each run, all with the same columns.

    The columns are the cell's fields, status, metrics, costs (the total and each part, such as ``bytes_backbone``),
    times and provenance. Settings and defect sizes are JSON text. Texts and names of columns are escaped by
    `flawspot.texts.visible`.
    """
    found = [{visible(name): _value(value) for name, value in _row(record).items()} for record in records]
    columns = dict.fromkeys(name for row in found for name in row)
    return [{name: row.get(name) for name in columns} for row in found]


def frame(records: Sequence[Record]) -> pandas.DataFrame:
    """The rows of `rows` as a pandas data frame."""
    import pandas

    return pandas.DataFrame(_of_one_type(rows(records)))


def export(records: Sequence[Record], path: Path) -> None:
    """Write the table to `path`, as a whole or not at all. The suffix selects the format.

    In CSV, a text that a spreadsheet would take for a formula gets an apostrophe before it.

    Raises:
        ConfigurationError: the suffix is not one of `FORMATS`.
        MissingPackageError: pyarrow is not installed.
        FlawspotError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ConfigurationError(f"cannot export to {path}: give a name that ends in {' or '.join(FORMATS)}")
    check_writable(path)
    if suffix == ".parquet":
        require("pyarrow", "a .parquet file")
        table = frame(records)
        # pyarrow opens no file whose name is not UTF-8.
        with replacing(path) as temporary, temporary.open("wb") as binary:
            table.to_parquet(binary, engine="pyarrow", index=False)
        return
    flat = rows(records)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([spreadsheet_cell(name) for name in (flat[0] if flat else ["key"])])
        for row in flat:
            writer.writerow(spreadsheet_cell(value) if isinstance(value, str) else value for value in row.values())


def _value(value: Any) -> Any:
    return visible(value) if isinstance(value, str) else value


def _of_one_type(flat: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with a column of several types as text: Parquet gives a column one type."""
    mixed = []
    for name in flat[0] if flat else ():
        kinds = {type(row[name]) for row in flat if row[name] is not None}
        if len(kinds) > 1 and kinds != {int, float}:
            mixed.append(name)
    texts = ({name: None if row[name] is None else str(row[name]) for name in mixed} for row in flat)
    return [{**row, **text} for row, text in zip(flat, texts, strict=True)]


def _row(record: Record) -> dict[str, Any]:
    cell = {**record.cell.as_dict(), "tolerate": record.cell.tolerate}
    stream = None if record.cell.stream is None else json.dumps(cell["stream"], sort_keys=True)
    cell |= {"settings": json.dumps(cell["settings"], sort_keys=True), "stream": stream}
    row: dict[str, Any] = {"key": record.key, **cell}
    row |= {"taps": ",".join(map(str, record.taps)), "status": record.status, "error": record.error}
    _add(row, record.metrics)
    row |= {"bytes": record.bytes or None, "macs": record.macs or None}
    for part in record.parts:
        name = part.name.replace(" ", "_")
        _add(row, {f"bytes_{name}": part.bytes, f"macs_{name}": part.macs})
    for name in _COSTS:
        row[name] = getattr(record, name)
    _add(row, record.measured)
    row["defect_sizes"] = json.dumps(record.defect_sizes)
    row["steps"] = json.dumps(record.steps)
    for name in _ORIGIN:
        row[name] = getattr(record, name)
    _add(row, {f"machine_{name}": value for name, value in record.machine.items()})
    _add(row, {f"version_{name}": value for name, value in record.versions.items()})
    return row


def _add(row: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Add columns whose names are the record's own; they never replace one that is there, such as the key."""
    for name, value in values.items():
        row.setdefault(name, value)
