"""``flawspot demo``: the whole job on photographs that flawspot makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flawspot.cli.console import out, print_json
from flawspot.files import check_folder
from flawspot.progress.display import DISPLAY


def demo(
    output: Annotated[Path, typer.Option("--out", help="The folder to work in.")] = Path("demo"),
    product: Annotated[str | None, typer.Option(help="Which product of the demo set. Default: the second.")] = None,
    method: Annotated[str, typer.Option(help="`flawspot methods` lists them.")] = "paste",
    seed: Annotated[int, typer.Option(help="Seed of the photographs and of training.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a synthetic product set, train on it, evaluate, and draw what was found."""
    check_folder(output)
    from flawspot.demo.page import figures
    from flawspot.demo.run import run_demo

    done = run_demo(
        output,
        product=product,
        method=method,
        seed=seed,
        say=(lambda _: None) if as_json else out.print,
        progress=DISPLAY,
    )
    if as_json:
        print_json({"artifact": str(done.artifact), "summary": str(done.summary), **done.metrics.as_dict()})
        return
    for name, value in figures(done.metrics):
        out.print(f"  {name:<34} {value}")
    out.print(f"the detector:  {done.artifact}")
    out.print(f"pictures:      {done.pictures}")
    out.print(f"the summary:   {done.summary}")
    out.print(f"next:          flawspot predict {done.artifact} YOUR_PHOTOGRAPHS --out found")
