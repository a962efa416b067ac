"""``flawspot benchmark``: plan, run, report and export a grid of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from flawspot.cli import INTERRUPTED
from flawspot.cli.console import fail, note, out, print_json, print_pairs
from flawspot.errors import ConfigurationError
from flawspot.progress import duration
from flawspot.progress.display import DISPLAY

if TYPE_CHECKING:
    from flawspot.benchmark.record import Record

app = typer.Typer(
    no_args_is_help=True,
    help="A grid of runs: every data set, backbone, layer group and method, accuracy and cost in one table.",
)

REASONS_SHOWN = 8
TABLE_WIDTH = 200
"""Of a table that goes to a file, in characters."""

GRID = Annotated[str, typer.Argument(help="The grid's YAML file, or `paper` for that of the PaSTe paper.")]
STORE = Annotated[Path, typer.Option("--store", help="The SQLite file of the runs; made if it is not there.")]
EXISTING = Annotated[Path, typer.Argument(help="The SQLite file that `benchmark run --store` wrote.")]
DATA = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="NAME=FOLDER", help="Where a data set of the grid lies here; repeatable."),
]
WORKERS = Annotated[
    int | None, typer.Option(help="Runs at once. Default: one for each core, fewer where memory is short.")
]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def plan(
    grid: GRID,
    store: STORE,
    data: DATA = None,
    workers: WORKERS = None,
    as_json: JSON = False,
) -> None:
    """Say how many runs there are, what is done, failed or missing, and about how long the rest will take. Nothing is
    run."""
    from flawspot.benchmark.run_grid import plan as make
    from flawspot.benchmark.run_grid import tasks_of
    from flawspot.benchmark.store import Store

    with Store(store) as opened:
        tasks = tasks_of(grid, opened, data=_folders(data), progress=DISPLAY)
        planned = make(tasks, opened, workers=workers)
    if as_json:
        print_json(planned.as_dict())
        return
    table = Table("method", box=None, pad_edge=False)
    for heading in ("runs", "done", "failed", "missing", "to do", "time", "memory at most"):
        table.add_column(heading, justify="right")
    rows = [*planned.methods, planned.total] if len(planned.methods) > 1 else [planned.total]
    for row in rows:
        table.add_row(
            escape(row.label),
            *(str(number) for number in (row.runs, row.done, row.failed, row.missing, row.open)),
            f"about {duration(row.seconds)}" if row.open else "",
            f"{row.memory_bytes / 2**30:.1f} GiB" if row.open else "",
        )
    out.print(table)
    reasons = list(planned.reasons.items())
    for reason, count in reasons[:REASONS_SHOWN]:
        out.print(f"missing for {count} runs: {escape(reason)}")
    if len(reasons) > REASONS_SHOWN:
        out.print(f"and {len(reasons) - REASONS_SHOWN} more reasons, which --json lists")
    if planned.total.failed:
        out.print("failed runs are begun again with `benchmark run --retry-failed`")
    if planned.total.open:
        at_once = "one run at a time" if planned.workers == 1 else f"{planned.workers} runs at once"
        out.print(
            f"about {duration(planned.wall_seconds)} on this machine, {at_once} with {planned.threads} "
            f"thread{'s' if planned.threads > 1 else ''} each"
        )


@app.command()
def run(
    grid: GRID,
    store: STORE,
    data: DATA = None,
    engine: Annotated[str, typer.Option(help="local: processes on this machine. ray: a Ray cluster.")] = "local",
    workers: WORKERS = None,
    ray_address: Annotated[
        str | None,
        typer.Option(help="Of a Ray cluster, such as auto. Default: a new one on this machine."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Begin no more runs than this.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Begin failed runs once more.")] = False,
    cache_gib: Annotated[float, typer.Option(help="Features of photographs that may stay on disk, in GiB.")] = 8.0,
    as_json: JSON = False,
) -> None:
    """Work on every run that is not in the store yet. It may be ended at any moment, even with kill -9: the same
    command goes on where it was. Artifacts and pictures lie in a folder beside the store."""
    from flawspot.benchmark.engines.interrupts import Interrupts
    from flawspot.benchmark.run_grid import run as work
    from flawspot.benchmark.run_grid import tasks_of
    from flawspot.benchmark.store import Store
    from flawspot.cli.benchmark_progress import LiveProgress

    if cache_gib <= 0:
        raise ConfigurationError(f"--cache-gib must be above 0, not {cache_gib:g}")
    with Store(store) as opened:
        tasks = tasks_of(grid, opened, data=_folders(data), cache_bytes=int(cache_gib * 2**30), progress=DISPLAY)
        with Interrupts() as interrupts, LiveProgress() as live:
            counts = work(
                tasks,
                opened,
                live,
                interrupts,
                engine=engine,
                workers=workers,
                limit=limit,
                retry_failed=retry_failed,
                ray_address=ray_address,
                progress=DISPLAY,
            )
    left = counts.left + counts.running
    if as_json:
        print_json(
            {
                "done": counts.done,
                "failed": counts.failed,
                "missing": counts.missing,
                "done_before": counts.stored,
                "elsewhere": counts.elsewhere,
                "left": left,
                "store": str(store),
            }
        )
    else:
        print_pairs(
            [
                ("done", f"{counts.done}, and {counts.stored} before"),
                ("failed", f"{counts.failed}{', see `flawspot benchmark list`' if counts.failed else ''}"),
                ("missing", f"{counts.missing}{', see `flawspot benchmark plan`' if counts.missing else ''}"),
                *([("elsewhere", f"{counts.elsewhere}, by another process")] if counts.elsewhere else []),
                *([("left", f"{left}, by the same command")] if left else []),
                ("store", str(store)),
            ]
        )
    if interrupts.count:
        fail("interrupted; what was done is stored, and the same command goes on", INTERRUPTED)


@app.command(name="list")
def list_runs(store: EXISTING, as_json: JSON = False) -> None:
    """List the runs in a store, failed and missing ones with their reason."""
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
            escape(f"{cell.data}/{cell.category}"),
            cell.backbone,
            escape(cell.layers),
            escape(cell.label),
            str(cell.seed),
            _figure(record.metrics.get("pixel_f1_max"), 3),
            _figure(record.metrics.get("image_auroc"), 3),
            _figure(record.measured.get("latency_ms"), 1),
            escape(record.error or _variation(record)),
        )
    if not out.is_terminal:
        out.width = TABLE_WIDTH
    out.print(table)


@app.command()
def show(
    store: EXISTING,
    key: Annotated[str, typer.Argument(help="The run's key, or its first digits, as `benchmark list` shows it.")],
    as_json: JSON = False,
) -> None:
    """Show everything about one run; of a failed one, the traceback."""
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
        out.print(escape(record.traceback))


@app.command()
def export(
    store: EXISTING,
    output: Annotated[Path, typer.Option("--out", help="The table to write: a .csv or .parquet file.")],
    every: Annotated[bool, typer.Option("--every", help="Also runs that newer ones of the same cell replace.")] = False,
) -> None:
    """Write all runs as one flat table."""
    from flawspot.benchmark.export import export as write

    found = _records(store, every=every)
    write(found, output)
    out.print(f"{len(found)} runs in {escape(str(output))}")


@app.command()
def report(
    store: EXISTING,
    output: Annotated[Path, typer.Option("--out", help="The folder to write them into.")],
    title: Annotated[str | None, typer.Option(help="The page's title.")] = None,
) -> None:
    """Write the paper's figures and tables as one self-contained HTML page, and as SVG, PNG and Markdown."""
    from flawspot.benchmark.report import write_report
    from flawspot.benchmark.store import Store

    with Store(store, create=False) as opened:
        found, folder = opened.records(), opened.folder
    page = write_report(found, output, store_folder=folder, title=title)
    out.print(escape(str(page)))


def _folders(data: list[str] | None) -> dict[str, Path]:
    folders = {}
    for text in data or []:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise ConfigurationError(f"--data takes NAME=FOLDER, such as mvtec_ad=photos/mvtec_ad, not {text!r}")
        folders[name.strip()] = Path(path)
    return folders


def _records(store: Path, *, every: bool = False) -> list[Record]:
    from flawspot.benchmark.store import Store

    with Store(store, create=False) as opened:
        found = opened.records(every=every)
    if not found:
        note(f"{store} holds no runs yet")
    return found


def _short(record: Record) -> dict[str, object]:
    return {
        "key": record.key,
        "status": record.status,
        **record.cell.as_dict(),
        "metrics": record.metrics,
        "measured": record.measured,
        "error": record.error,
    }


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _variation(record: Record) -> str:
    cell = record.cell
    said = []
    if cell.corruption is not None:
        said.append(f"{cell.corruption} {cell.severity}")
    if cell.contamination:
        said.append(f"contamination {cell.contamination:g}")
    if cell.shots is not None:
        said.append(f"{cell.shots} shots")
    return ", ".join(said)
