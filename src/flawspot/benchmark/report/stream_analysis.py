"""Results of streams, in which categories or conditions arrive one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.report.names import backbone_name, plain, rank
from flawspot.benchmark.report.results import Results, Setup, setup_of, why_missing
from flawspot.benchmark.report.tables import Column, Entry, Table, mark_best, number, signed, words
from flawspot.benchmark.streams.stream import CONDITIONS, FROZEN, PLAIN, Stream, budget, for_people

PIXEL_F1, IMAGE_AUROC, FALSE_ALARMS = "pixel_f1_max", "image_auroc", "image_false_alarm_rate"
_MEGABYTE = 2**20

Steps = Sequence[Mapping[str, Any]]
"""`Record.steps`."""


@dataclass(frozen=True)
class Followed:
    """One detector along one stream.

    Attributes:
        data, category: data set and category of the photographs.
        stream: the stream.
        setup: the detector.
        runs: runs by strategy and seed, with any status.
    """

    data: str
    category: str
    stream: Stream
    setup: Setup
    runs: Mapping[str, Mapping[int, Record]]

    @property
    def strategies(self) -> list[str]:
        """The strategies, from no learning over updates, ordered by budget, to training anew."""
        return sorted(self.runs, key=lambda each: (each != FROZEN, budget(each) is None, budget(each) or 0, each))

    def line(self, strategy: str, figure: Callable[[Steps], list[float | None]]) -> list[float | None]:
        """Means over seeds of a figure after every step; None for a step if not every run has it, or none has."""
        found = [figure(record.steps) for record in self.runs[strategy].values() if record.status == DONE]
        steps = zip(*found, strict=True)
        return [None if None in at else sum(each or 0.0 for each in at) / len(at) for at in steps]


def followed(results: Results) -> list[Followed]:
    """All detectors along all streams of the records; streams with the same name are adjacent."""
    found: dict[tuple[Any, ...], dict[str, dict[int, Record]]] = {}
    for record in results.records:
        cell = record.cell
        if cell.stream is not None and cell.strategy is not None:
            of = (cell.stream, cell.data, cell.category, setup_of(record))
            found.setdefault(of, {}).setdefault(cell.strategy, {})[cell.seed] = record
    several = [Followed(data, category, stream, setup, runs) for (stream, data, category, setup), runs in found.items()]
    return sorted(
        several, key=lambda f: (f.stream.name, f.stream.text, rank(f.data, ["mvtec_ad"]), f.category, f.setup.order)
    )


def grouped(results: Results) -> list[tuple[Stream, list[Followed]]]:
    """`followed` by stream."""
    found: dict[Stream, list[Followed]] = {}
    for one in followed(results):
        found.setdefault(one.stream, []).append(one)
    return list(found.items())


def on_all(name: str) -> Callable[[Steps], list[float | None]]:
    """A figure on the test sets of all steps so far together."""
    return lambda steps: [step["on_all"].get(name) for step in steps]


def forgetting(name: str) -> Callable[[Steps], list[float | None]]:
    """The loss on the test sets of earlier steps, after every step.

    For each earlier set it is the best figure of all steps before minus the present one; these are averaged over the
    sets (Chaudhry et al., Riemannian walk for incremental learning, ECCV 2018). It is below zero if later steps have
    helped. The first step has none.
    """

    def lost(steps: Steps) -> list[float | None]:
        found: list[float | None] = []
        for now in range(len(steps)):
            losses = [_lost(steps, earlier, now, name) for earlier in range(now)]
            whole = [loss for loss in losses if loss is not None]
            found.append(sum(whole) / len(whole) if whole and len(whole) == len(losses) else None)
        return found

    return lost


def _lost(steps: Steps, earlier: int, now: int, name: str) -> float | None:
    figures = [step["on_each"][earlier].get(name) for step in steps[earlier : now + 1]]
    return None if None in figures else float(max(figures[:-1]) - figures[-1])


def measured(name: str, unit: float = 1.0) -> Callable[[Steps], list[float | None]]:
    """A measured quantity at each step, in units of `unit`."""
    return lambda steps: [step[name] / unit for step in steps]


def megabytes(name: str) -> Callable[[Steps], list[float | None]]:
    """Bytes at each step, in 2^20."""
    return measured(name, _MEGABYTE)


def step_names(stream: Stream) -> list[str]:
    """The display names of the steps."""
    if stream.of != CONDITIONS:
        return [plain(step) for step in stream.steps]
    return ["as taken" if step == PLAIN else step.replace("=", " ").replace("+", ", ") for step in stream.steps]


def stream_title(stream: Stream) -> str:
    """The steps in one line, numbered."""
    return ", ".join(f"{position} {name}" for position, name in enumerate(step_names(stream), 1))


def detector_name(results: Results, one: Followed) -> str:
    """The detector in a few words, with the products."""
    setup = one.setup
    network = backbone_name(setup.backbone, setup.random_weights)
    details = results.details(setup)
    return " · ".join([plain(one.category), setup.method_name, network, plain(setup.layers), *filter(None, [details])])


def last_table(results: Results, group: Sequence[Followed], key: str) -> Table:
    """Every strategy after the last step of a stream."""
    columns = [Column("product", numeric=False, identity=True)]
    columns += [Column(name, numeric=False) for name in ("detector", "strategy")]
    columns += [Column(name, hint="on the test sets of all steps together") for name in ("pixel F1", "image AUROC")]
    forgotten = "best earlier figure minus the present one on the test sets of earlier steps"
    columns += [Column(f"forgetting, {name}", hint=forgotten) for name in ("pixel F1", "image AUROC")]
    columns += [Column("false alarms", hint="at the shipped threshold, on good test photographs of all steps")]
    columns += [Column("artifact", "MB"), Column("kept beside it", "MB", hint="state, or good photographs so far")]
    columns += [Column("learning", "s", hint="processor seconds of all steps"), Column("seeds")]
    table = Table(key, f"After the last step: {stream_title(group[0].stream)}", columns)
    for one in group:
        rows = []
        for strategy in one.strategies:
            head = [words(one.category), words(detector_name(results, one).partition(" · ")[2])]
            rows.append([*head, words(for_people(strategy)), *_last(table, one, strategy)])
        mark_best(rows, 3)
        mark_best(rows, 4)
        table.rows += rows
    return table


def _last(table: Table, one: Followed, strategy: str) -> list[Entry]:
    records = list(one.runs[strategy].values())
    done = sum(record.status == DONE for record in records)
    if not done:
        return [*(table.missing(why_missing(records)) for _ in range(8)), Entry(f"0 of {len(records)}", 0.0)]
    found: list[Entry] = []
    for figure, show in (
        (on_all(PIXEL_F1), number),
        (on_all(IMAGE_AUROC), number),
        (forgetting(PIXEL_F1), signed),
        (forgetting(IMAGE_AUROC), signed),
        (on_all(FALSE_ALARMS), number),
        (megabytes("artifact_bytes"), _tenths),
        (megabytes("kept_bytes"), _tenths),
        (lambda steps: [sum(step["cpu_seconds"] for step in steps)], _tenths),
    ):
        value = one.line(strategy, figure)[-1]
        found.append(table.missing(why_missing(records, PIXEL_F1)) if value is None else show(value))
    return [*found, Entry(str(done), float(done))]


def _tenths(value: float) -> Entry:
    return number(value, 1)


def steps_table(results: Results, group: Sequence[Followed], key: str) -> Table:
    """Every strategy after every step, on the test set of each step alone."""
    names = step_names(group[0].stream)
    columns = [Column("product", numeric=False, identity=True)]
    columns += [Column(name, numeric=False) for name in ("detector", "strategy", "figure")]
    columns += [Column("after step"), *(Column(f"{number} {name}") for number, name in enumerate(names, 1))]
    columns += [Column("all so far"), Column("kept beside it", "MB"), Column("learning", "s")]
    intro = "A numbered column has the test set of that step alone. A field is empty before its step."
    table = Table(key, "Step by step", columns, intro=intro)
    for one in group:
        for strategy in one.strategies:
            for name, heading in ((PIXEL_F1, "pixel F1"), (IMAGE_AUROC, "image AUROC")):
                head = [words(one.category), words(detector_name(results, one).partition(" · ")[2])]
                head += [words(for_people(strategy)), words(heading)]
                table.rows += [[*head, *rest] for rest in _each(one, strategy, name)]
    return table


def _each(one: Followed, strategy: str, name: str) -> Iterable[list[Entry]]:
    count = len(one.stream.steps)
    alone = [one.line(strategy, _alone(position, name)) for position in range(count)]
    rest = [one.line(strategy, figure) for figure in (on_all(name), megabytes("kept_bytes"), measured("cpu_seconds"))]
    for step in range(len(rest[0])):
        shown = [Entry(str(step + 1), float(step + 1))]
        for line in alone:
            value = line[step]
            entry = Entry("") if value is None else dataclasses.replace(number(value), shade=min(max(value, 0.0), 1.0))
            shown.append(entry)
        shown += [Entry("") if line[step] is None else number(line[step] or 0.0, 3 if at == 0 else 1)
                  for at, line in enumerate(rest)]  # fmt: skip
        yield shown


def _alone(position: int, name: str) -> Callable[[Steps], list[float | None]]:
    return lambda steps: [
        step["on_each"][position].get(name) if position < len(step["on_each"]) else None for step in steps
    ]
