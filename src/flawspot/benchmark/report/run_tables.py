"""The provenance of every figure: each run with its data, weights and code, and the runs that gave no figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flawspot.benchmark.record import DONE, FAILED, Record
from flawspot.benchmark.report.names import RANDOM, backbone_name, data_name, method_name, plain
from flawspot.benchmark.report.tables import DASH, Column, Entry, Table, amount, words

_SHOWN = 12
"""Digits of a hash that are shown; the whole hash is in the hint."""


def runs_table(records: Sequence[Record]) -> Table:
    """Every run with its provenance. `sources_table` explains the short names of weights, data and so on."""
    columns = [
        Column("run", numeric=False, hint="first digits of the key", identity=True),
        Column("status", numeric=False),
        *(Column(name, numeric=False) for name in ("data", "category", "backbone", "layers", "method")),
        Column("seed"),
        Column("condition", numeric=False),
        Column("settings", numeric=False),
        Column("made with", numeric=False),
        Column("started", "UTC", numeric=False),
        Column("training", "s"),
        Column("peak", "MiB", hint="resident memory of the process that ran it"),
        Column("artifact", "MiB"),
        Column("error", numeric=False),
    ]
    table = Table("runs", "Every run", columns)
    numbered = _numbered(records)
    for record in records:
        cell = record.cell
        more = f"{cell.input_size} px, {cell.normalization} normalisation, {cell.precision}"
        key = plain(record.key)
        table.rows.append(
            [
                Entry(key[:_SHOWN], key, hint=key),
                *_identity(record),
                words(", ".join(filter(None, [more, cell.settings_text]))),
                words(" ".join(numbered[source] for source in _sources(record))),
                words(record.started[:19].replace("T", " ") or DASH),
                _measured(record, "training_seconds", 1),
                _measured(record, "peak_rss_bytes", 2**20),
                Entry(DASH) if record.artifact_bytes is None else amount(record.artifact_bytes / 2**20),
                words(record.error or ""),
            ]
        )
    return table


def older_table(records: Sequence[Record], older: Sequence[Record]) -> Table | None:
    """Runs that were replaced by newer ones of the same cell, with the difference; None if there are none.

    Args:
        records: the current runs.
        older: the others.
    """
    columns = [
        Column("run", numeric=False, hint="first digits of the key", identity=True),
        Column("status", numeric=False),
        *(Column(name, numeric=False) for name in ("data", "category", "backbone", "layers", "method")),
        Column("seed"),
        Column("condition", numeric=False),
        Column("finished", "UTC", numeric=False),
        Column("replaced by", numeric=False, hint="first digits of the key"),
        Column("which has", numeric=False),
    ]
    table = Table("older", "Older runs, which are in no other table or figure", columns)
    current = {record.cell.identity: record for record in records}
    for record in older:
        newer = current[record.cell.identity]
        key, newer_key = plain(record.key), plain(newer.key)
        table.rows.append(
            [
                Entry(key[:_SHOWN], key, hint=key),
                *_identity(record),
                words(record.finished[:19].replace("T", " ") or DASH),
                Entry(newer_key[:_SHOWN], newer_key, hint=newer_key),
                words(_differences(record, newer)),
            ]
        )
    return table if table.rows else None


def _differences(record: Record, newer: Record) -> str:
    """Why the two have different keys."""
    names = {"data_fingerprint": "other data", "weights_sha256": "other weights", "code_version": "other code"}
    said = [text for name, text in names.items() if getattr(record, name) != getattr(newer, name)]
    return ", ".join(said) or "been run again"


def sources_table(records: Sequence[Record]) -> Table:
    """The weights, data, code, versions and machines that `runs_table` names by number."""
    columns = [Column("name", numeric=False, identity=True), *(Column(c, numeric=False) for c in ("kind", "what"))]
    table = Table("sources", "What the runs were made with", [*columns, Column("runs")])
    counts: dict[tuple[str, str], int] = {}
    for record in records:
        for source in _sources(record):
            counts[source] = counts.get(source, 0) + 1
    for (kind, text), name in _numbered(records).items():
        count = counts[kind, text]
        table.rows.append([words(name), words(kind), words(text), Entry(f"{count:,}", float(count))])
    return table


def gaps_table(records: Sequence[Record]) -> Table | None:
    """The runs without figures, by reason; None where there are none."""
    columns = [
        Column("status", numeric=False, identity=True),
        Column("reason and cure", numeric=False),
        Column("runs"),
        Column("which", numeric=False),
    ]
    table = Table("gaps", "Runs without figures", columns)
    reasons: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.status != DONE:
            reasons.setdefault((record.status, plain(record.error or "no reason given")), []).append(record)
    for (status, reason), found in sorted(reasons.items(), key=lambda item: (item[0][0] != FAILED, item[0][1])):
        names = sorted({f"{backbone_name(r.cell.backbone, r.cell.random_weights)}" for r in found})
        places = sorted({f"{data_name(r.cell.data)} {r.cell.category}" for r in found})
        methods = sorted({method_name(r.cell.label) for r in found})
        which = "; ".join(_some(each) for each in (names, methods, places))
        table.rows.append([words(status), words(reason), Entry(f"{len(found):,}", float(len(found))), words(which)])
    return table if table.rows else None


def tracebacks(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Failed runs: a line that names the run, and its traceback. Equal tracebacks appear once; at most twenty."""
    found: dict[str, str] = {}
    for record in records:
        if record.status == FAILED and record.traceback and record.traceback not in found.values():
            cell = record.cell
            name = f"{cell.data} {cell.category}, {cell.backbone}, {cell.layers}, {cell.label}, seed {cell.seed}"
            found[f"{record.key[:_SHOWN]} ({plain(name)})"] = record.traceback
    return list(found.items())[:20]


def _identity(record: Record) -> list[Entry]:
    """Status, data, category, backbone, layers, method, seed and condition of a run."""
    cell = record.cell
    taps = f" [{', '.join(map(str, record.taps))}]" if record.taps else ""
    return [
        words(record.status),
        words(data_name(cell.data)),
        words(cell.category),
        words(backbone_name(cell.backbone, cell.random_weights)),
        words(cell.layers + taps),
        words(method_name(cell.label)),
        Entry(str(cell.seed), float(cell.seed)),
        words(cell.variation or DASH),
    ]


def _measured(record: Record, name: str, unit: float) -> Entry:
    value = record.measured.get(name)
    return Entry(DASH) if value is None else amount(value / unit)


def _some(names: Sequence[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _sources(record: Record) -> list[tuple[str, str]]:
    """Kind and text of everything that a run was made with."""
    random = record.cell.random_weights
    weights = f"{record.cell.backbone}: {RANDOM if random else record.weights or 'not recorded'}"
    if record.weights_sha256 and not random:
        weights += f", sha256 {record.weights_sha256}"
    return [
        ("weights", plain(weights)),
        ("data", plain(f"{record.cell.data} {record.cell.category}, {record.data_fingerprint or 'not recorded'}")),
        ("code", plain(record.code_version or "not recorded")),
        ("versions", _listed(record.versions)),
        ("machine", _listed(record.machine)),
    ]


def _listed(values: Mapping[str, object]) -> str:
    return plain(", ".join(f"{key.replace('_', ' ')} {values[key]}" for key in sorted(values))) or "not recorded"


def _numbered(records: Sequence[Record]) -> dict[tuple[str, str], str]:
    """A short name for each source, such as W2 for the second weights."""
    found = {source for record in records for source in _sources(record)}
    names: dict[tuple[str, str], str] = {}
    for kind in ("weights", "data", "code", "versions", "machine"):
        for number, source in enumerate(sorted(source for source in found if source[0] == kind), 1):
            names[source] = f"{kind[0].upper()}{number}"
    return names
