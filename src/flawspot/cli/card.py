"""``flawspot card``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flawspot.cli.console import print_json, print_lines, print_pairs
from flawspot.cli.outputs import check_output
from flawspot.files import write_bytes

SUFFIXES = (".md", ".markdown")


def card(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it to this .md file instead of standard output."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with the card as a text.")] = False,
) -> None:
    """Write a model card in Markdown: data, method, costs, false-alarm rate, tolerance, smallest defect, limits.

    Everything in it comes from the artifact, so the same file gives the same card.
    """
    from flawspot.card import model_card
    from flawspot.runtime.artifact import read

    check_output(output, SUFFIXES, file)
    text = model_card(read(file))
    if output is not None:
        write_bytes(output, text.encode())
    if as_json:
        print_json({"artifact": str(file), "output": None if output is None else str(output), "card": text})
    elif output is None:
        print_lines(text)
    else:
        print_pairs([("artifact", str(file)), ("card", str(output))])
