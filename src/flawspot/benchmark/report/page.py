"""The report's page: its figures and tables, their order, and the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup

from flawspot.benchmark.record import Record
from flawspot.benchmark.report import summary
from flawspot.benchmark.report.axis_analysis import Axis, axes, axis_table, data_of
from flawspot.benchmark.report.claims.every import claims_of
from flawspot.benchmark.report.claims.table import TITLE as CLAIMS_TITLE
from flawspot.benchmark.report.claims.table import claims_table, counted
from flawspot.benchmark.report.claims.verdict import Claim
from flawspot.benchmark.report.detector_tables import CATEGORY_METRICS, categories_table, detectors, seeds
from flawspot.benchmark.report.drawing import Drawing
from flawspot.benchmark.report.figure_cost import cost_figure, front_table
from flawspot.benchmark.report.figure_curves import axis_figure, sizes_figure
from flawspot.benchmark.report.figure_layers import layers_figure
from flawspot.benchmark.report.figure_measured import measured_figure, measured_table
from flawspot.benchmark.report.figure_paste import paste_figure
from flawspot.benchmark.report.figure_streams import stream_figure
from flawspot.benchmark.report.markdown import document
from flawspot.benchmark.report.names import data_name, plain
from flawspot.benchmark.report.paper_comparison import beside_the_paper
from flawspot.benchmark.report.pictures import EXAMPLES, Gallery, galleries
from flawspot.benchmark.report.placing import FIGURES, PAGE, TABLES, check_places, place
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.run_tables import gaps_table, older_table, runs_table, sources_table, tracebacks
from flawspot.benchmark.report.size_analysis import size_table
from flawspot.benchmark.report.stream_analysis import grouped, last_table, steps_table
from flawspot.benchmark.report.tables import Table
from flawspot.benchmark.report.tolerance_analysis import tolerance_table, tolerant_data
from flawspot.errors import DataError

TITLE = "flawspot benchmark"
"""Title of the page if the grid has none."""


@dataclass
class Item:
    """An item of a section: a figure, a table, or a gallery of examples. It may be collapsed at first. `of` is its data
    set or stream, by which documents are ordered."""

    figure: Drawing | None = None
    table: Table | None = None
    gallery: Gallery | None = None
    folded: bool = False
    printed: bool = True
    of: str = ""


@dataclass
class Section:
    """A part of the page with a heading.

    Attributes:
        key: name for links.
        title: heading.
        items: the items in order. `add` leaves out those without records.
    """

    key: str
    title: str
    intro: str = ""
    items: list[Item] = field(default_factory=list)

    def add(
        self, thing: Drawing | Table | Gallery | None, *, folded: bool = False, printed: bool = True, of: str = ""
    ) -> None:
        """Append a figure, a table or a gallery, unless it is None."""
        if thing is None:
            return
        item = Item(folded=folded, printed=printed, of=of)
        if isinstance(thing, Drawing):
            item.figure = thing
        elif isinstance(thing, Table):
            item.table = thing
        else:
            item.gallery = thing
        self.items.append(item)


def write_report(
    records: Sequence[Record],
    folder: Path,
    *,
    store_folder: Path | None = None,
    title: str | None = None,
    pictures: bool = True,
) -> Path:
    """Write the report: ``report.html``, its figures as SVG and PNG, and ``tables.md`` with the tables and figures.

    ``report.html`` is one file that needs no other file and no network. The same records, in any order, give the same
    bytes with the same versions of the libraries.

    Args:
        records: records of a store. Their texts are shown as they are, with any content.
        folder: folder for ``report.html``, ``figures/`` and ``tables.md``; created if missing. Those of an earlier
            report are replaced, all or none of them; other files stay.
        store_folder: folder that the records' pictures are relative to; None if unknown, then none are shown.
        title: title of the page; None for the grid's title.
        pictures: show best and worst examples, which are photographs of the data sets.

    Returns:
        The path of the page.

    Raises:
        DataError: no records.
        FlawspotError: a file cannot be written.
    """
    check_places(folder)
    if not records:
        raise DataError("there is nothing to report: the store holds no runs. Run `flawspot benchmark run` first.")
    results = Results(records)
    heading = title or results.title or TITLE
    tested = claims_of(results)
    parts = sections(results, store_folder, tested=tested, pictures=pictures)
    figures: dict[str, list[Drawing]] = {}
    files: dict[str, bytes] = {}
    for part in parts:
        for item in part.items:
            if item.figure:
                files[f"{FIGURES}/{item.figure.key}.svg"] = item.figure.svg
                files[f"{FIGURES}/{item.figure.key}.png"] = item.figure.png
                figures.setdefault(item.of, []).append(item.figure)
    files[TABLES] = document(results, tested, figures, heading).encode("utf-8", "replace")
    files[PAGE] = render(results, parts, heading).encode("utf-8", "replace")
    place(folder, files)
    return folder / PAGE


def sections(
    results: Results,
    store_folder: Path | None = None,
    *,
    tested: Sequence[Claim] | None = None,
    pictures: bool = True,
) -> list[Section]:
    """The sections below the page's summary. `tested` are the paper's claims; with None they are tested here."""
    found = []
    slugs = _slugs(results)
    for data in results.data():
        slug = slugs[data]
        section = Section(f"data-{slug}", data_name(data))
        section.add(cost_figure(results, data, f"figure-1-{slug}"), of=data)
        section.add(front_table(results, data, f"figure-1-{slug}"), folded=True)
        section.add(cost_figure(results, data, f"figure-1-as-paper-{slug}", as_paper=True), folded=True, of=data)
        section.add(measured_figure(results, data, f"measured-{slug}"), of=data)
        section.add(measured_table(results, data, f"measured-{slug}"), folded=True)
        section.add(layers_figure(results, data, f"figure-5-{slug}"), of=data)
        section.add(paste_figure(results, data, f"figure-6-{slug}"), of=data)
        section.add(detectors(results, data))
        section.add(seeds(results, data), folded=True)
        for position, (name, heading) in enumerate(CATEGORY_METRICS):
            section.add(categories_table(results, data, name, heading), folded=position > 0)
        section.add(sizes_figure(results, data, f"defect-sizes-{slug}"), of=data)
        section.add(size_table(results, data), folded=True)
        found.append(section)
    tables, note = beside_the_paper(results)
    source = "Barusco et al., PaSTe, 2024 (arXiv 2410.11591), tables 2 and 3."
    comparison = Section("paper", "Beside the paper", " ".join(filter(None, [source, note])))
    for table in tables:
        comparison.add(table)
    found[1:1] = [comparison, _claims(claims_of(results) if tested is None else tested)]
    found += _beyond(results, slugs)
    found += _streams(results)
    shown, note = galleries(results, store_folder) if pictures else ([], "")
    if shown:
        examples = Section("examples", "Best and worst examples", f"{EXAMPLES} {note}".rstrip())
        for gallery in shown:
            examples.add(gallery)
        found.append(examples)
    runs = Section("provenance", "Where every figure comes from")
    runs.add(gaps_table(results.records))
    runs.add(older_table(results.records, results.older), folded=True)
    runs.add(sources_table(results.every), folded=True)
    runs.add(runs_table(results.every), folded=True, printed=len(results.every) <= 300)
    found.append(runs)
    return found


def _claims(tested: Sequence[Claim]) -> Section:
    """The section of the paper's claims, each with the result of its test on the runs."""
    section = Section("paper-claims", CLAIMS_TITLE, f"Sections 5 and 6 of the paper: {counted(tested)}.")
    section.add(claims_table(tested))
    return section


def _beyond(results: Results, slugs: dict[str, str]) -> list[Section]:
    """Sections for noise, contamination, few shots and tolerance, each if there are records."""
    every = axes(results)
    groups: list[tuple[str, str, list[Axis]]] = [
        ("noise", "Noisy photographs", [axis for axis in every if axis.key.startswith("corruption-")])
    ]
    groups += [(axis.key, axis.title, [axis]) for axis in every if not axis.key.startswith("corruption-")]
    found = []
    for key, title, group in groups:
        section = Section(key, title)
        for data in dict.fromkeys(data for axis in group for data in data_of(results, axis)):
            here = [axis for axis in group if data in data_of(results, axis)]
            section.add(axis_figure(results, here, data, f"{key}-{slugs[data]}", title), of=data)
            for axis in here:
                section.add(axis_table(results, axis, data), folded=True)
        if section.items:
            found.append(section)
    tolerance = Section("tolerance", "Cost and gain of a tolerance")
    for data in tolerant_data(results):
        tolerance.add(tolerance_table(results, data))
    return [*found, tolerance] if tolerance.items else found


def _streams(results: Results) -> list[Section]:
    """A section for each stream: its curves, and its tables."""
    found = []
    for position, (stream, group) in enumerate(grouped(results), 1):
        section = Section(f"stream-{position}", f"Stream: {plain(stream.name)}")
        for number, one in enumerate(group, 1):
            section.add(stream_figure(results, one, f"stream-{position}-{number}"), of=section.key)
        section.add(last_table(results, group, f"stream-last-{position}"))
        section.add(steps_table(results, group, f"stream-steps-{position}"), folded=True)
        found.append(section)
    return found


def render(results: Results, parts: Sequence[Section], title: str) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_own_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    finished = [record.finished for record in results.every if record.finished]
    return environment.get_template("page.html.j2").render(
        title=plain(title),
        style=Markup(_own_file("page.css")),
        script=Markup(_own_file("page.js")),
        markup=Markup,
        tiles=summary.tiles(results),
        findings=summary.findings(results),
        warnings=summary.warnings(results),
        newest=max(finished)[:10] if finished else "",
        sections=parts,
        tracebacks=tracebacks(results.every),
    )


def _printable(value: object) -> object:
    """A record's text without control characters, which a page must not contain. Tracebacks keep their lines."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(map(plain, value.split("\n")))
    return value


def _own_file(name: str) -> str:
    return resources.files("flawspot.benchmark.report").joinpath(name).read_text(encoding="utf-8")


def _slugs(results: Results) -> dict[str, str]:
    """A name for files and links for each data set, for any name of the data set."""
    slugs: dict[str, str] = {}
    for data in sorted({record.cell.data for record in results.records}):
        slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in data.lower()).strip("-")[:40] or "data"
        while slug in slugs.values():
            slug += "-2"
        slugs[data] = slug
    return slugs
