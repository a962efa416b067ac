"""``flawspot choose``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from flawspot.cli.console import out, print_json, print_pairs
from flawspot.cli.data import GOOD, LIST, open_given
from flawspot.cli.outputs import PAGES, check_output
from flawspot.errors import ConfigurationError
from flawspot.files import check_writable
from flawspot.progress import duration
from flawspot.progress.display import DISPLAY
from flawspot.runtime.environment import MAX_THREADS

if TYPE_CHECKING:
    from flawspot.choosing import Choice
    from flawspot.choosing.candidates import Candidate
    from flawspot.choosing.planning import Plan

TABLE_WIDTH = 160
"""Width of a table that goes to a file, in characters."""
ROWS_SHOWN = 12
"""Judged detectors in the table on the terminal; the page and --json have all."""

DATA = Annotated[
    Path | None, typer.Argument(help="Photographs of good parts as for `flawspot train`, or the MVTec layout.")
]
OUTPUT = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="The best detector, an .onnx file.")
]
PAGE = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.html", help="The page about the choice. Default: beside the detector."),
]
STORE = Annotated[
    Path | None,
    typer.Option(help="The SQLite file of trained candidates, to continue from. Default: beside the detector."),
]
MEMORY = Annotated[str | None, typer.Option(metavar="SIZE", help="The most it may store, such as 5MB or 2.5MiB.")]
MACS = Annotated[
    str | None,
    typer.Option(metavar="NUMBER", help="The most multiply-accumulates for a photograph, such as 300M or 1.2G."),
]
LATENCY = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="The longest time for a photograph, such as 20ms: measured after training, here, on one thread.",
    ),
]
ARENA = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="The most working memory, as `export --to c` plans it, such as 256KB."),
]
TIME = Annotated[
    str | None,
    typer.Option("--time", metavar="TIME", help="Time for everything, such as 30min; the most promising go first."),
]
CANDIDATES = Annotated[
    Path | None,
    typer.Option(metavar="GRID.yaml", help="Your own candidates, in the format of `flawspot benchmark`."),
]
LABELLED = Annotated[
    bool,
    typer.Option(
        "--labelled",
        help="Also judge by the labelled test photographs. Afterwards they no longer serve as a test set.",
    ),
]
SEED = Annotated[
    int | None, typer.Option(help="Seed of training, photographs and defects. Default: that of the candidates.")
]
TOLERATE = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=SEVERITY,...",
        help="Variations that are not defects, such as line; see `flawspot train`. Every candidate is trained to "
        "tolerate them, which takes about three times as long. They are judged on unchanged photographs.",
    ),
]
WORKERS = Annotated[int | None, typer.Option(min=1, max=MAX_THREADS, help="How many are trained at the same time.")]


def choose(
    data: DATA = None,
    from_list: LIST = None,
    good: GOOD = None,
    memory: MEMORY = None,
    macs: MACS = None,
    latency: LATENCY = None,
    arena: ARENA = None,
    time_limit: TIME = None,
    candidates: CANDIDATES = None,
    labelled: LABELLED = False,
    store: STORE = None,
    seed: SEED = None,
    tolerate: TOLERATE = None,
    workers: WORKERS = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train failed candidates again.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which candidates fit and how long training takes. Train nothing.")
    ] = False,
    output: OUTPUT = None,
    page: PAGE = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Choose the right detector for your photographs and your device.

    Candidates that fit the device are trained and judged by pasted defects. The best one is written, with a page about
    the choice. No defective part is needed.
    """
    from flawspot.choosing.budget import Budget
    from flawspot.choosing.choose import choose as work
    from flawspot.choosing.choose import planned
    from flawspot.choosing.page import write_page

    budget = Budget.read(memory, macs, latency, arena)
    wanted: dict[str, Any] = {"store": store, "time_limit": time_limit, "candidates": candidates, "labelled": labelled}
    wanted |= {"seed": seed, "tolerate": tolerate, "workers": workers, "progress": DISPLAY, "output": output}
    if output is None and not dry_run:
        raise ConfigurationError("name the file for the best detector, such as -o best.onnx; or say --dry-run")
    if output is not None:
        check_writable(output)
        page = page or output.with_suffix(".html")
        if page == output:
            raise ConfigurationError(f"{output} cannot be both the detector and its page: name it best.onnx")
    check_output(page, PAGES, from_list, candidates)
    folder = open_given(data, from_list, good)
    if dry_run:
        plan = planned(folder, budget, **wanted)
        print_json(plan.as_dict()) if as_json else _print_plan(plan)
        return
    assert page is not None and output is not None
    choice = work(folder, memory=memory, macs=macs, latency=latency, arena=arena, retry_failed=retry_failed, **wanted)
    write_page(choice, folder, page, progress=DISPLAY)
    if as_json:
        print_json({**choice.as_dict(), "output": str(output), "page": str(page)})
    else:
        _print_choice(choice, output, page)


def _print_plan(plan: Plan) -> None:
    from flawspot.choosing.budget import bytes_text, macs_text

    table = Table("detector", box=None, pad_edge=False)
    for heading in ("memory", "MACs", "working memory"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for one in plan.candidates:
        costs = (bytes_text(one.memory), macs_text(one.macs), f"{bytes_text(one.arena)} or more")
        table.add_row(one.name, *(costs if one.memory else ("", "", "")), _fate(plan, one))
    if not out.is_terminal:
        out.width = TABLE_WIDTH
    out.print(table)
    out.print(plan.said())


def _fate(plan: Plan, one: Candidate) -> str:
    if one.why_not is not None:
        return f"no: {one.why_not}"
    perhaps = "" if one.perhaps is None else f"perhaps, {one.perhaps}: "
    if one.cell.identity in plan.late:
        return f"{perhaps}left out: no time is left"
    seconds = plan.seconds[one.cell.identity]
    return perhaps + (f"about {duration(seconds)}" if seconds else "done")


def _print_choice(choice: Choice, output: Path, page: Path) -> None:
    from flawspot.choosing.budget import bytes_text, macs_text
    from flawspot.choosing.page import sentences

    table = Table("detector", box=None, pad_edge=False)
    for heading in ("rank", "image AUROC", "pixel F1", "memory", "MACs", "ms"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for one in choice.judged[:ROWS_SHOWN]:
        figures = (one.record.metrics["image_auroc"], one.record.metrics["pixel_f1_max"])
        table.add_row(
            one.name,
            f"{one.rank:.3f}",
            *("" if value is None else f"{value:.3f}" for value in figures),
            bytes_text(one.record.bytes),
            macs_text(one.record.macs),
            f"{one.latency_ms:.1f}",
            "chosen" if one is choice.best else one.why_not or "",
        )
    if not out.is_terminal:
        out.width = TABLE_WIDTH
    out.print(table)
    out.print()
    for sentence in sentences(choice):
        out.print(sentence)
    out.print()
    print_pairs([("detector", str(output)), ("page", str(page))])
