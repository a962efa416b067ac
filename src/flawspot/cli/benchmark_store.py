"""``flawspot benchmark list``, ``show``, ``export`` and ``report``: read a store of runs. No torch is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from flawspot.cli.console import note, out, print_json, print_lines, print_pairs
from flawspot.errors import ConfigurationError
from flawspot.files import check_folder, is_there

if TYPE_CHECKING:
    from flawspot.benchmark.record import Record

TABLE_WIDTH = 200
"""Width of a table that goes to a file, in characters."""

EXISTING = Annotated[Path, typer.Argument(help="The SQLite file that `benchmark run --store` wrote.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def list_runs(store: EXISTING, as_json: JSON = False) -> None:
    """List the runs in a store. Failed and missing ones have their reason."""
    found = _records(store)
    if as_json:
        print_json({"runs": [_short(record) for record in found]})
        return
    table = Table("run", "status", "data", "backbone", "layers", "method", box=None, pad_edge=False)
    for heading in ("seed", "pixel F1", "image AUROC", "ms"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for record in found:
        cell = record.cell
        table.add_row(
            record.key[:10],
            record.status,
            f"{cell.data}/{cell.category}",
            cell.backbone,
            cell.layers,
            cell.label,
            str(cell.seed),
            _figure(record.metrics.get("pixel_f1_max"), 3),
            _figure(record.metrics.get("image_auroc"), 3),
            _figure(record.measured.get("latency_ms"), 1),
            _apart(record),
        )
    if not out.is_terminal:
        out.width = TABLE_WIDTH
    out.print(table)


def show(
    store: EXISTING,
    key: Annotated[str, typer.Argument(help="The run's key, or its first digits, as `benchmark list` shows it.")],
    as_json: JSON = False,
) -> None:
    """Show everything about one run. For a failed run this includes the traceback."""
    import dataclasses

    from flawspot.benchmark.export import rows
    from flawspot.benchmark.store import Store

    with Store(store, create=False) as opened:
        record = opened.record(key)
    if record is None:
        raise ConfigurationError(f"{store} has no run, or several, whose key begins with {key!r}: see `benchmark list`")
    if as_json:
        print_json(dataclasses.asdict(record))
        return
    print_pairs((name, str(value)) for name, value in rows([record])[0].items() if value not in (None, ""))
    if record.traceback:
        print_lines(record.traceback)


def export(
    store: EXISTING,
    output: Annotated[Path, typer.Option("--out", help="The table to write: a .csv or .parquet file.")],
    every: Annotated[bool, typer.Option("--every", help="Also write runs that newer ones have replaced.")] = False,
) -> None:
    """Write all runs as one flat table."""
    from flawspot.benchmark.export import export as write

    _refuse_store(store, output)
    found = _records(store, every=every)
    write(found, output)
    out.print(f"{len(found)} runs in {output}")


def report(
    store: EXISTING,
    output: Annotated[Path, typer.Option("--out", help="The folder to write them into.")],
    title: Annotated[str | None, typer.Option(help="The page's title. Default: the grid's.")] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures/--no-pictures",
            help="Show best and worst examples. They are photographs of the data sets: leave them out of a report that "
            "is published, where a licence forbids it.",
        ),
    ] = True,
) -> None:
    """Write the paper's figures and tables as one self-contained HTML page, and as SVG, PNG and Markdown."""
    from flawspot.benchmark.report import write_report
    from flawspot.benchmark.store import Store

    check_folder(output)
    figures = (output / "figures").glob("*.[sp][vn]g")
    _refuse_store(store, output / "report.html", output / "tables.md", *figures)
    with Store(store, create=False) as opened:
        found, folder = opened.records(every=True), opened.folder
    page = write_report(found, output, store_folder=folder, title=title, pictures=pictures)
    out.print(str(page))


def _records(store: Path, *, every: bool = False) -> list[Record]:
    from flawspot.benchmark.store import Store

    with Store(store, create=False) as opened:
        found = opened.records(every=every)
    if not found:
        note(f"{store} holds no runs yet")
    return found


def _refuse_store(store: Path, *outputs: Path) -> None:
    """Refuse to write over the store, or over the files that SQLite has beside it, by any of their names."""
    real = os.path.realpath(store)
    own = [Path(f"{real}{end}") for end in ("", "-wal", "-shm", "-journal")]
    for path in outputs:
        if any(Path(os.path.realpath(path)) == one or _are_same(path, one) for one in own):
            raise ConfigurationError(f"cannot write {path}: it is the store that is read. Choose another name.")


def _are_same(path: Path, other: Path) -> bool:
    return is_there(path) and is_there(other) and path.samefile(other)


def _short(record: Record) -> dict[str, object]:
    return {
        "key": record.key,
        "status": record.status,
        **record.cell.as_dict(),
        "metrics": record.metrics,
        "measured": record.measured,
        "error": record.error,
    }


def _apart(record: Record) -> str:
    """What sets a run apart from others in its row, and why it has no figures."""
    cell = record.cell
    precision = "" if cell.precision == "float32" else cell.precision
    return ", ".join(filter(None, (precision, cell.settings_text, cell.variation, record.error)))


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
