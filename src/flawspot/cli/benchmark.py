"""``flawspot benchmark``: plan and run a grid. `flawspot.cli.benchmark_store` shows the stored runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from flawspot.cli.benchmark_store import JSON, export, list_runs, report, show
from flawspot.cli.console import fail, out, print_json, print_pairs
from flawspot.errors import ConfigurationError
from flawspot.progress import duration
from flawspot.progress.display import DISPLAY
from flawspot.runtime.environment import MAX_THREADS

if TYPE_CHECKING:
    from flawspot.benchmark.engines.board import Counts
    from flawspot.benchmark.forecast import BenchmarkPlan

app = typer.Typer(
    no_args_is_help=True,
    help="A grid of runs: every data set, backbone, layer group and method, accuracy and cost in one table.",
)

REASONS_SHOWN = 8
MAX_CACHE_GIB = 2**20

GRID = Annotated[str, typer.Argument(help="The grid's YAML file, or `paper` for the PaSTe paper's grid.")]
STORE = Annotated[Path, typer.Option("--store", help="The SQLite file of the runs. It is created if missing.")]
DATA = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="NAME=FOLDER", help="The folder of a data set of the grid; repeatable."),
]
WORKERS = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_THREADS, help="Runs at a time. Default: one for each core, fewer if memory is short."),
]


@app.command()
def plan(
    grid: GRID,
    store: STORE,
    data: DATA = None,
    workers: WORKERS = None,
    as_json: JSON = False,
) -> None:
    """Count the runs that are done, failed, missing and to do, and estimate how long the rest takes. Nothing is run."""
    from flawspot.benchmark.run_grid import cells_of
    from flawspot.benchmark.run_grid import plan as make
    from flawspot.benchmark.store import Store
    from flawspot.benchmark.task_list import prepare

    read, cells = cells_of(grid, data=_folders(data))
    with Store(store) as opened:
        tasks = prepare(read, cells, opened, progress=DISPLAY)
        planned = make(tasks, opened, workers=workers)
    if as_json:
        print_json(planned.as_dict())
        return
    _print_plan(planned)


@app.command()
def run(
    grid: GRID,
    store: STORE,
    data: DATA = None,
    engine: Annotated[str, typer.Option(help="local: processes on this machine. ray: a Ray cluster.")] = "local",
    workers: WORKERS = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_THREADS, help="Threads of each run. Default: cores, divided by runs at a time."),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(help="Address of a Ray cluster, such as auto. Default: a new one on this machine."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Start at most this many runs.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed runs again.")] = False,
    cache_gib: Annotated[float, typer.Option(help="How many GiB of photographs' features may stay on disk.")] = 8.0,
    as_json: JSON = False,
) -> None:
    """Do every run that is not in the store yet. It may be ended at any moment, even with kill -9: the same command
    then continues. Artifacts and pictures are in a folder beside the store."""
    from flawspot.benchmark.engines.interrupts import Interrupts
    from flawspot.benchmark.run_grid import cells_of
    from flawspot.benchmark.run_grid import run as work
    from flawspot.benchmark.store import Store
    from flawspot.benchmark.task_list import prepare
    from flawspot.cli.benchmark_progress import LiveProgress

    if not 0 < cache_gib <= MAX_CACHE_GIB:
        raise ConfigurationError(f"--cache-gib must be above 0 and at most {MAX_CACHE_GIB}, not {cache_gib:g}")
    read, cells = cells_of(grid, data=_folders(data))
    with Store(store) as opened:
        tasks = prepare(read, cells, opened, cache_bytes=int(cache_gib * 2**30), progress=DISPLAY)
        with Interrupts() as interrupts, LiveProgress() as live:
            counts = work(
                tasks,
                opened,
                live,
                interrupts,
                engine=engine,
                workers=workers,
                threads=threads,
                limit=limit,
                retry_failed=retry_failed,
                ray_address=ray_address,
                progress=DISPLAY,
            )
    if as_json:
        print_json(_counted(counts, store))
    else:
        _print_counts(counts, store)
    if interrupts.count:
        fail("interrupted; finished runs are stored, and the same command continues", interrupts.exit_code)


def _folders(data: list[str] | None) -> dict[str, Path]:
    folders = {}
    for text in data or []:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise ConfigurationError(f"--data takes NAME=FOLDER, such as mvtec_ad=photos/mvtec_ad, not {text!r}")
        folders[name.strip()] = Path(path)
    return folders


def _print_plan(planned: BenchmarkPlan) -> None:
    table = Table("method", box=None, pad_edge=False)
    for heading in ("runs", "done", "failed", "missing", "to do", "time", "memory at most"):
        table.add_column(heading, justify="right")
    rows = [*planned.methods, planned.total] if len(planned.methods) > 1 else [planned.total]
    for row in rows:
        table.add_row(
            row.label,
            *(str(number) for number in (row.runs, row.done, row.failed, row.missing, row.open)),
            f"about {duration(row.seconds)}" if row.open else "",
            f"{row.memory_bytes / 2**30:.1f} GiB" if row.open else "",
        )
    out.print(table)
    reasons = list(planned.reasons.items())
    for reason, count in reasons[:REASONS_SHOWN]:
        out.print(f"missing for {count} {'run' if count == 1 else 'runs'}: {reason}")
    if len(reasons) > REASONS_SHOWN:
        out.print(f"and {len(reasons) - REASONS_SHOWN} more reasons, which --json lists")
    if planned.total.failed:
        out.print("`benchmark run --retry-failed` runs the failed ones again")
    if planned.total.open:
        at_once = "one run at a time" if planned.workers == 1 else f"{planned.workers} runs at once"
        out.print(
            f"about {duration(planned.wall_seconds)} on this machine, {at_once} with {planned.threads} "
            f"thread{'s' if planned.threads > 1 else ''} each"
        )


def _counted(counts: Counts, store: Path) -> dict[str, object]:
    return {
        "done": counts.done,
        "failed": counts.failed,
        "missing": counts.missing,
        "done_before": counts.done_before,
        "failed_before": counts.failed_before,
        "elsewhere": counts.elsewhere,
        "left": counts.left + counts.running,
        "store": str(store),
    }


def _print_counts(counts: Counts, store: Path) -> None:
    left = counts.left + counts.running
    failed = f"{counts.failed}, and {counts.failed_before} before" if counts.failed_before else f"{counts.failed}"
    cure = ", see `flawspot benchmark list`; --retry-failed runs them again"
    print_pairs(
        [
            ("done", f"{counts.done}, and {counts.done_before} before"),
            ("failed", f"{failed}{cure if counts.failed + counts.failed_before else ''}"),
            ("missing", f"{counts.missing}{', see `flawspot benchmark plan`' if counts.missing else ''}"),
            *([("elsewhere", f"{counts.elsewhere}, by another process")] if counts.elsewhere else []),
            *([("left", f"{left}, by the same command")] if left else []),
            ("store", str(store)),
        ]
    )


app.command(name="list")(list_runs)
app.command()(show)
app.command()(export)
app.command()(report)
