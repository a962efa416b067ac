"""``flawspot audit verify | export``: check a station's record, and export its results."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli.console import fail, out, print_json, print_pairs, styled
from flawspot.cli.outputs import check_output
from flawspot.errors import ConfigurationError
from flawspot.progress.display import DISPLAY

if TYPE_CHECKING:
    from flawspot.serve.anchor import Anchor
    from flawspot.serve.audit import Finding, PictureAudit, RecordAudit

app = typer.Typer(no_args_is_help=True, help="Check that a station's record is whole, and export its results.")

Place = Annotated[Path, typer.Argument(help="The folder of a station, or the record.sqlite in it.")]


class Verdict(StrEnum):
    """The verdicts that a result may have."""

    GOOD = "good"
    ANOMALOUS = "anomalous"
    NOT_INSPECTED = "not inspected"


@app.command()
def verify(
    place: Place,
    head: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER:HASH",
            help="A row's number and hash as noted elsewhere (an answer, a message, paper). Repeatable.",
        ),
    ] = None,
    pictures: Annotated[bool, typer.Option("--pictures", help="Also read every kept picture.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check that no row of a record was changed, removed or moved, and that its end was not cut off.

    The station may keep writing meanwhile. Without --head the end is compared with the file `head` beside the record.
    Exit code 0: whole; 1: broken.
    """
    from flawspot.serve.anchor import NAME, read_anchor
    from flawspot.serve.audit import PictureAudit, RecordAudit, record_in
    from flawspot.serve.record import Record

    given = [_anchor(text) for text in head or []]
    path = record_in(place)
    beside = read_anchor(path.with_name(NAME))  # read before the rows, so the row that it names must be among them
    with Record(path, create=False) as record:
        rows = RecordAudit(record, given if beside is None else [*given, beside], DISPLAY)
        shown = PictureAudit(record, DISPLAY) if pictures else None
        findings = []
        for finding in _all(rows, shown):
            findings.append(finding)
            if not as_json:
                out.print(styled("broken", "bold red"), _line(finding), sep="  ")
    if as_json:
        print_json(
            {
                "record": str(path),
                "whole": not findings,
                "rows": rows.rows,
                "head": None if rows.head is None else {"number": rows.head.number, "hash": rows.head.hash},
                "anchors": len(given) + (beside is not None),
                "pictures": shown and {"checked": shown.checked, "missing": shown.missing, "removed": shown.told},
                "breaks": [finding.as_dict() for finding in findings],
            }
        )
    else:
        _print_summary(path, rows, shown, given, beside)
    if findings:
        fail(f"{path} is not whole: {len(findings)} {'thing is' if len(findings) == 1 else 'things are'} broken")


@app.command()
def export(
    place: Place,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: .csv or .jsonl.")],
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on: 2026-01-31 or 2026-01-31T12:00, in UTC.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Only these.")] = None,
) -> None:
    """Write the results, oldest first. Each has the latest word (such as confirmed) that a person gave on it."""
    from flawspot.serve.audit import record_in
    from flawspot.serve.export import export as write
    from flawspot.serve.export import moment
    from flawspot.serve.record import Record, Wanted

    begin, end = (None if text is None else moment(text) for text in (since, until))
    wanted = Wanted(verdict=None if verdict is None else verdict.value, since=begin, until=end)
    path = record_in(place)
    check_output(output, (".csv", ".jsonl"), path)
    with Record(path, create=False) as record:
        count = write(record, output, wanted, DISPLAY)
    out.print(f"{count} {'result' if count == 1 else 'results'} in {output}")


def _anchor(text: str) -> Anchor:
    from flawspot.serve.anchor import Anchor

    found = Anchor.parse(text)
    if found is None:
        raise ConfigurationError(f"--head {text!r} is not NUMBER:HASH: write it as 12:9f86d0…, with all 64 digits")
    return found


def _all(rows: RecordAudit, shown: PictureAudit | None) -> Iterator[Finding]:
    yield from rows.findings()
    if shown is not None:
        yield from shown.findings()


def _line(finding: Finding) -> str:
    return finding.reason if finding.picture is None else f"{finding.picture} {finding.reason}"


def _print_summary(
    path: Path, rows: RecordAudit, shown: PictureAudit | None, given: list[Anchor], beside: Anchor | None
) -> None:
    held = [str(anchor.number) for anchor in ([] if beside is None else [beside]) + given]
    told = f"held against row {', '.join(held)}" if held else "held against nothing: a cut-off end would not be seen"
    pairs = [
        ("record", str(path)),
        ("rows", str(rows.rows)),
        ("head", "none" if rows.head is None else str(rows.head)),
        ("end", told),
    ]
    if shown is not None:
        gone = f"{shown.missing} are missing, {shown.told} were removed and recorded as such"
        pairs.append(("pictures", f"{shown.checked} read; {gone}"))
    print_pairs(pairs)
