"""``flawspot reproduce costs`` and ``claims``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from flawspot.cli.benchmark_store import EXISTING, JSON
from flawspot.cli.console import out, print_json, styled
from flawspot.cli.outputs import check_output
from flawspot.errors import ConfigurationError
from flawspot.files import write_bytes

if TYPE_CHECKING:
    from flawspot.benchmark.report.claims.verdict import Claim

app = typer.Typer(no_args_is_help=True, help="The PaSTe paper's tables, computed, and its claims, tested.")

QUANTITIES = {
    "memory_mb": "memory MiB",
    "inference_mmac": "inference MMAC",
    "training_mmac": "training MMAC",
    "training_ram_mb": "training RAM MiB",
}
STYLES = {"holds": "green", "does not hold": "red", "cannot be said": "yellow"}
"""Of verdicts."""


@app.callback()
def _root() -> None:
    pass


@app.command()
def costs(
    artifact: Annotated[
        list[Path] | None,
        typer.Option(
            help="A PatchCore trained as in table 3 (--layers equiv --set bank_size=30000), whose own count of "
            "multiply-accumulates is put beside, for it does not search its whole bank. Repeatable."
        ),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Tables 2 and 3: as printed, as the paper counts, and as it really is. Trains nothing and needs no weights."""
    from flawspot.costs.paper import of_paper, reproduce
    from flawspot.costs.tables import paper_tables
    from flawspot.runtime.signature import read_trusted

    counted = {}
    for path in artifact or []:
        manifest = read_trusted(path).manifest
        if not of_paper(manifest):
            raise ConfigurationError(
                f"{path} is no PatchCore of the paper's table 3: train one on mobilenet_v2 or wide_resnet50_2 with "
                "--layers equiv --set bank_size=30000 at 224 pixels"
            )
        counted[manifest.backbone.name, manifest.method] = sum(part.macs for part in manifest.parts)
    figures = reproduce(counted)
    if as_json:
        print_json({"source": paper_tables()["source"], "figures": [figure.as_dict() for figure in figures]})
        return
    notes = list(dict.fromkeys(figure.note for figure in figures if figure.note))
    table = Table("", box=None, pad_edge=False)
    headings = ["paper", "computed", "difference", "honest", *(["counted"] if counted else [])]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("note", justify="right")
    previous = None
    for figure in figures:
        column = f"table {figure.table}  {figure.backbone}  {figure.method}"
        if column != previous:
            table.add_row(column, style="bold")
            previous = column
        cells = [f"{figure.paper:,.2f}", _number(figure.computed)]
        cells += ["" if figure.difference is None else f"{figure.difference:+.2f} %", _number(figure.honest)]
        cells += [_number(figure.counted)] if counted else []
        mark = str(notes.index(figure.note) + 1) if figure.note else ""
        table.add_row(f"  {QUANTITIES[figure.quantity]}", *cells, mark)
    out.print(table)
    for number, note in enumerate(notes, 1):
        out.print(f"{number}  {note}")
    out.print(f"source: {paper_tables()['source']}")


@app.command()
def claims(
    store: EXISTING,
    data: Annotated[
        list[str] | None, typer.Option(help="Test on this data set of the store alone; repeatable. Default: all.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--markdown", metavar="FILE.md", help="Write the table, with rules and categories, to this file."),
    ] = None,
    as_json: JSON = False,
) -> None:
    """What the paper says of accuracy, cost, layers and PaSTe (sections 5 and 6), each claim tested on the runs of a
    store: holds, does not hold, or cannot be said and why. Trains nothing."""
    from flawspot.benchmark.report.claims.every import claims as test
    from flawspot.benchmark.report.claims.table import claims_table
    from flawspot.benchmark.store import Store

    check_output(output, (".md",), store)
    with Store(store, create=False) as opened:
        found = test(opened.records(), data or ())
    if output is not None:
        write_bytes(output, claims_table(found).markdown().encode("utf-8", "replace"))
    if as_json:
        print_json({"store": str(store), "claims": [claim.as_dict() for claim in found]})
        return
    _print_claims(found)
    if output is not None:
        out.print(str(output))


def _print_claims(found: list[Claim]) -> None:
    from flawspot.benchmark.report.claims.pairing import HOW
    from flawspot.benchmark.report.claims.table import categories_text, counted

    lists: list[str] = []
    for claim in found:
        out.print(
            styled(claim.verdict, STYLES[claim.verdict]), styled(claim.text, "bold"), f"({claim.section})", sep="  "
        )
        for text, part in claim.lines:
            names = categories_text(part)
            lists += [names] if names and names not in lists else []
            out.print(f"    {text}{f' [{lists.index(names) + 1}]' if names else ''}")
        out.print(f"    holds where {claim.rule}")
        if claim.reason:
            out.print(f"    {claim.reason}")
    for number, names in enumerate(lists, 1):
        out.print(f"[{number}] {names}")
    out.print(HOW)
    out.print(counted(found))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"
