"""Tables 2 and 3 of the PaSTe paper with the paper's figures beside ours."""

from __future__ import annotations

from typing import Any

from flawspot.benchmark.record import MISSING, Record
from flawspot.benchmark.report.detector_tables import MIB, memory, mmac, shared
from flawspot.benchmark.report.names import backbone_name, method_name, plain
from flawspot.benchmark.report.results import Results, Runs, Setup, flat, why_missing
from flawspot.benchmark.report.statistics import Value, estimate, metric
from flawspot.benchmark.report.tables import Column, Entry, Table, number, signed, three_digits, words
from flawspot.costs.tables import INPUT_SIZE, paper_settings, paper_tables

PAPER_DATA = "mvtec_ad"
PAPER_CATEGORIES = 15

TITLES = {
    2: "Table 2 of the paper: STFPM and PaSTe on MobileNetV2",
    3: "Table 3 of the paper: methods on WideResNet50 and MobileNetV2",
}


def paper_memory(record: Record) -> float | None:
    """MiB as the paper counts."""
    return None if record.paper_bytes is None else record.paper_bytes / MIB


def paper_mmac(record: Record) -> float | None:
    """MMAC of inference as the paper counts."""
    return None if record.paper_macs is None else record.paper_macs / 1e6


def training_mmac(record: Record) -> float | None:
    """MMAC of training, for one photograph in one epoch."""
    return None if record.training_macs is None else record.training_macs / 1e6


def training_ram(record: Record) -> float | None:
    """MiB that training holds."""
    return None if record.training_ram is None else record.training_ram / MIB


QUANTITIES: dict[str, tuple[str, str, Value, Value | None]] = {
    "memory_mb": ("memory", "MiB", paper_memory, memory),
    "inference_mmac": ("inference", "MMAC", paper_mmac, mmac),
    "training_mmac": ("training computation", "MMAC", training_mmac, None),
    "training_ram_mb": ("training RAM", "MiB", training_ram, None),
}
"""For each name in the paper's table: name, unit, the paper's way of counting, and the full count if it differs."""


def beside_the_paper(results: Results) -> tuple[list[Table], str]:
    """The paper's tables, as far as their detectors were run, and a sentence on what is not in them."""
    tables = [table for table in (paper_table(results, number_) for number_ in TITLES) if table.rows]
    others = _other_settings(results)
    said = [] if tables else ["None of the detectors of the paper's tables was run with its settings."]
    lacking = _not_run(results) if tables else ""
    if lacking:
        said.append(f"Not run, and left out: {lacking}.")
    if others:
        said.append(f"Not compared, because the settings are not the paper's: {'; '.join(others)}.")
    return tables, " ".join(said)


_HOW = (
    "“Ours” counts costs as the paper does, but for training computation: the paper's way of counting that could not "
    "be derived, and ours is of the forward pass and both ways backward. “As it is” counts everything at the precision "
    "it is stored in. Megabytes are 2^20 bytes. F1 is the best pixel F1, its mean over the 15 categories of MVTec AD. "
    "Columns that were not run are left out."
)


def paper_table(results: Results, number_: int) -> Table:
    """Table 2 or 3, the columns of it that were run: on the paper's layers and input size, with its hyperparameters.

    Costs are compared with the median of any run of the detector; the F1 only with the mean over all 15 categories of
    MVTec AD, pretrained.
    """
    columns = [
        Column("backbone", numeric=False, identity=True),
        Column("method", numeric=False),
        Column("quantity", numeric=False),
        Column("paper"),
        Column("ours", hint="costs: as the paper counts them"),
        Column("difference"),
        Column("as it is", hint="costs including everything that the paper does not count, such as the bank's search"),
    ]
    table = Table(
        f"paper-table-{number_}",
        TITLES[number_],
        columns,
        intro=_HOW,
    )
    for (backbone, method), figures in _published_columns(number_).items():
        found = _find(results, backbone, method)
        if found is None:
            continue
        data, setup, runs = found
        for quantity, (heading, unit, counted, honest) in QUANTITIES.items():
            if quantity in figures:
                row = [words(setup.backbone_name), words(method_name(method)), words(f"{heading}, {unit}")]
                table.rows.append(row + _cost(table, float(figures[quantity]), runs, counted, honest))
        if data == PAPER_DATA:
            row = [words(setup.backbone_name), words(method_name(method)), words("pixel F1")]
            table.rows.append(row + _accuracy(table, results, float(figures["f1_pixel"]), setup, runs))
    return table


def _published_columns(number_: int) -> dict[tuple[str, str], dict[str, Any]]:
    """The figures of a table by backbone and method."""
    published: dict[str, dict[str, dict[str, Any]]] = paper_tables()[f"table{number_}"]
    return {(b, method): figures for b, methods in published.items() for method, figures in methods.items()}


def _candidates(results: Results, data: str, backbone: str, method: str) -> list[Setup]:
    """Detectors of a column of the paper, whatever their hyperparameters."""
    found = [
        setup
        for setup in results.setups(data)
        if (setup.backbone, setup.method, setup.input_size) == (backbone, method, INPUT_SIZE)
        and setup.own_layers
        and setup.tolerate is None
    ]
    # Setups come with pretrained weights first; the method under its own name before a variant of it.
    return sorted(
        found, key=lambda setup: (setup.random_weights, setup.label != method, setup.normalization != "paper")
    )


def _find(results: Results, backbone: str, method: str) -> tuple[str, Setup, dict[str, Runs]] | None:
    """The detector of a column of the paper, with its data set and its runs with the paper's hyperparameters.

    Pretrained weights come before random ones, and MVTec AD before other data. None if there are no such runs.
    """
    wanted = paper_settings(backbone, method)
    for data in results.data():
        for setup in _candidates(results, data, backbone, method):
            runs = {
                category: {seed: record for seed, record in by_seed.items() if record.cell.settings == wanted}
                for category, by_seed in results.runs(data, setup).items()
            }
            runs = {category: by_seed for category, by_seed in runs.items() if by_seed}
            if any(record.status != MISSING for record in flat(runs)):
                return data, setup, runs
    return None


def _not_run(results: Results) -> str:
    """The columns of the paper's tables that were not run at all, by backbone."""
    columns = dict.fromkeys(column for number_ in TITLES for column in _published_columns(number_))
    lacking: dict[str, list[str]] = {}
    ran: set[str] = set()
    for backbone, method in columns:
        runs = [
            record
            for data in results.data()
            for setup in _candidates(results, data, backbone, method)
            for record in flat(results.runs(data, setup))
        ]
        if any(record.status != MISSING for record in runs):
            ran.add(backbone)
        else:
            lacking.setdefault(backbone, []).append(method_name(method))
    return "; ".join(
        f"{backbone_name(backbone)} with {', '.join(methods)}" if backbone in ran else backbone_name(backbone)
        for backbone, methods in lacking.items()
    )


def _other_settings(results: Results) -> list[str]:
    """Runs of the paper's columns with other hyperparameters than the paper's, a few words each."""
    found: dict[str, None] = {}
    for backbone, method in dict.fromkeys(column for number_ in TITLES for column in _published_columns(number_)):
        wanted = paper_settings(backbone, method)
        for data in results.data():
            for setup in _candidates(results, data, backbone, method):
                for record in flat(results.runs(data, setup)):
                    if record.cell.settings != wanted:
                        name = f"{setup.method_name} on {setup.backbone_name}"
                        found[f"{name} ({plain(record.cell.settings_text or 'all at their defaults')})"] = None
    return list(found)


def _cost(table: Table, paper: float, runs: dict[str, Runs], counted: Value, honest: Value | None) -> list[Entry]:
    ours, real = shared(runs, counted), shared(runs, honest) if honest else None
    records = flat(runs)
    fields = [Entry(_published(paper), paper)]
    if ours is None:
        done = any(record.status == "done" for record in records)
        reason = "this way of counting does not apply here" if done else why_missing(records)
        fields += [table.missing(reason), table.missing(reason)]
    else:
        fields += [Entry(three_digits(ours), ours), signed(100 * (ours - paper) / paper, 1, " %")]
    fields.append(Entry("", None) if real is None else Entry(three_digits(real), real))
    return fields


def _accuracy(table: Table, results: Results, paper: float, setup: Setup, runs: dict[str, Runs]) -> list[Entry]:
    fields = [Entry(f"{paper:.2f}", paper)]
    found = estimate(runs, results.categories(PAPER_DATA), metric("pixel_f1_max"), "pixel_f1_max")
    if found.mean is None:
        reason = next(iter(found.missing.values()), "not run")
        return [*fields, *[table.missing(reason)] * 2, Entry("", None)]
    ours = number(found.mean)
    if setup.random_weights:
        reason = f"{setup.backbone_name}: not comparable with the paper's pretrained network"
    elif len(found.categories) != PAPER_CATEGORIES:
        reason = f"mean over {len(found.categories)} of the {PAPER_CATEGORIES} categories: no difference is formed"
    else:
        return [*fields, ours, signed(found.mean - paper), Entry("", None)]
    return [*fields, Entry(ours.text, ours.value, table.note(reason), reason), table.missing(reason), Entry("", None)]


def _published(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")
