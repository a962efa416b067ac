"""The report's tables for documents."""

from __future__ import annotations

from collections.abc import Sequence

from flawspot.benchmark.record import Record
from flawspot.benchmark.report.axis_analysis import axes, axis_table, data_of
from flawspot.benchmark.report.detector_tables import categories_table, detectors, seeds
from flawspot.benchmark.report.names import data_name
from flawspot.benchmark.report.paper_comparison import PAPER_DATA, paper_table
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.run_tables import gaps_table
from flawspot.benchmark.report.size_analysis import size_table
from flawspot.benchmark.report.tables import Table, escape_markdown


def markdown_tables(records: Sequence[Record]) -> str:
    """The main tables as Markdown, a second-level heading for each data set; nothing of matplotlib or Jinja is needed.

    Without the provenance of each run, which is the page's.
    """
    results = Results(records)
    blocks = []
    for data in results.data():
        blocks.append(f"## {escape_markdown(data_name(data))}\n")
        tables: list[Table | None] = [detectors(results, data)]
        if len(results.categories(data)) > 1 or len({r.cell.seed for r in results.records if r.cell.data == data}) > 1:
            tables.append(seeds(results, data))
        tables.append(categories_table(results, data, "pixel_f1_max", "pixel F1"))
        tables.append(size_table(results, data))
        tables += [axis_table(results, axis, data) for axis in axes(results) if data in data_of(results, axis)]
        blocks += [table.markdown() for table in tables if table is not None]
        if data == PAPER_DATA:
            blocks += ["## Beside the paper\n", paper_table(results, 2).markdown(), paper_table(results, 3).markdown()]
    gaps = gaps_table(results.records)
    if gaps is not None:
        blocks += [gaps.markdown()]
    return "\n".join(blocks)
