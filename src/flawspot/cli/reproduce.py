"""``flawspot reproduce costs``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from flawspot.cli.console import out, print_json

app = typer.Typer(no_args_is_help=True, help="The PaSTe paper's tables, computed.")

QUANTITIES = {"memory_mb": "memory MiB", "inference_mmac": "inference MMAC", "training_ram_mb": "training RAM MiB"}


@app.callback()
def _root() -> None:
    pass


@app.command()
def costs(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Tables 2 and 3: as printed, as the paper counts, and as it really is. Trains nothing and needs no weights."""
    from flawspot.costs.paper import reproduce
    from flawspot.costs.tables import paper_tables

    figures = reproduce()
    if as_json:
        print_json({"source": paper_tables()["source"], "figures": [figure.as_dict() for figure in figures]})
        return
    table = Table("table", "backbone", "method", "quantity", box=None, pad_edge=False)
    for heading in ("paper", "computed", "difference", "honest"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for figure in figures:
        table.add_row(
            str(figure.table),
            figure.backbone,
            figure.method,
            QUANTITIES[figure.quantity],
            f"{figure.paper:,.2f}",
            f"{figure.computed:,.2f}",
            f"{figure.difference:+.2f} %",
            "" if figure.honest is None else f"{figure.honest:,.2f}",
            figure.note,
        )
    out.print(table)
    out.print(f"source: {paper_tables()['source']}")
