"""The report's tables for documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flawspot.benchmark.record import Record
from flawspot.benchmark.report.axis_analysis import axes, axis_table, data_of
from flawspot.benchmark.report.claims.every import claims_of
from flawspot.benchmark.report.claims.table import TITLE as CLAIMS_TITLE
from flawspot.benchmark.report.claims.table import claims_table, counted
from flawspot.benchmark.report.claims.verdict import Claim
from flawspot.benchmark.report.detector_tables import categories_table, detectors, seeds
from flawspot.benchmark.report.names import data_name
from flawspot.benchmark.report.paper_comparison import beside_the_paper
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.run_tables import gaps_table, older_table
from flawspot.benchmark.report.size_analysis import size_table
from flawspot.benchmark.report.stream_analysis import grouped, last_table
from flawspot.benchmark.report.tables import Table, escape_markdown
from flawspot.benchmark.report.tolerance_analysis import tolerance_table, tolerant_data

if TYPE_CHECKING:
    from flawspot.benchmark.report.drawing import Drawing


def markdown_tables(records: Sequence[Record]) -> str:
    """`document` of the records of a store, without figures and title."""
    results = Results(records)
    return document(results, claims_of(results))


def document(
    results: Results,
    tested: Sequence[Claim],
    figures: Mapping[str, Sequence[Drawing]] | None = None,
    title: str | None = None,
) -> str:
    """The main tables as Markdown, a second-level heading for each data set; nothing of matplotlib or Jinja is needed.

    Without the provenance of each run, which is the page's, and without photographs.

    Args:
        results: the records of a store.
        tested: the paper's claims on them.
        figures: shown where their data set or stream is, by its name or as ``stream-1``; they lie in ``figures/``
            beside the document.
        title: a first-level heading; None for none.
    """
    shown = figures or {}
    blocks = [f"# {escape_markdown(title)}\n"] if title else []
    for data in results.data():
        blocks.append(f"## {escape_markdown(data_name(data))}\n")
        blocks += map(_figure, shown.get(data, ()))
        tables: list[Table | None] = [detectors(results, data)]
        if len(results.categories(data)) > 1 or len({r.cell.seed for r in results.records if r.cell.data == data}) > 1:
            tables.append(seeds(results, data))
        tables.append(categories_table(results, data, "pixel_f1_max", "pixel F1"))
        tables.append(size_table(results, data))
        tables += [axis_table(results, axis, data) for axis in axes(results) if data in data_of(results, axis)]
        tables += [tolerance_table(results, data)] if data in tolerant_data(results) else []
        blocks += [table.markdown() for table in tables if table is not None]
    for position, (stream, group) in enumerate(grouped(results), 1):
        blocks.append(f"## Stream: {escape_markdown(stream.name)}\n")
        blocks += map(_figure, shown.get(f"stream-{position}", ()))
        blocks.append(last_table(results, group, f"stream-last-{position}").markdown())
    beside, note = beside_the_paper(results)
    blocks += ["## Beside the paper\n", *([f"{escape_markdown(note)}\n"] if note else [])]
    blocks += [table.markdown() for table in beside]
    blocks += [f"## {CLAIMS_TITLE}\n", f"{counted(tested)[0].upper()}{counted(tested)[1:]}.\n"]
    blocks.append(claims_table(tested).markdown())
    last = [gaps_table(results.records), older_table(results.records, results.older)]
    if any(last):
        blocks += ["## Runs\n", *(table.markdown() for table in last if table is not None)]
    return "\n".join(blocks)


def _figure(figure: Drawing) -> str:
    """The SVG with what the page says of it."""
    title = escape_markdown(figure.title)
    lines = [f"### {title}", "", f"![{title}](figures/{figure.key}.svg)", "", escape_markdown(figure.caption), ""]
    lines += [f"- {escape_markdown(note)}" for note in figure.notes]
    return "\n".join(lines).rstrip() + "\n"
