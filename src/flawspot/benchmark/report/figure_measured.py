"""Accuracy against what was measured: latency, and peak memory."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.report.detector_tables import IDENTITY, MIB, identity, shared
from flawspot.benchmark.report.drawing import Drawing, Mark, draw
from flawspot.benchmark.report.names import data_name, number_of, plain, short
from flawspot.benchmark.report.results import Results, Setup, flat
from flawspot.benchmark.report.scatter import Dot, Looks, layers_vary, scatter, unbeaten
from flawspot.benchmark.report.statistics import comparable, estimate, metric
from flawspot.benchmark.report.tables import Column, Entry, Table, amount, mark_best, number, three_digits

_F1 = metric("pixel_f1_max")
_Place = tuple[str, float]
"""Machine and threads."""


@dataclass(frozen=True)
class Timed:
    """A detector with its measurements.

    Attributes:
        setup: the detector.
        f1: mean pixel F1, 0..1.
        latency: milliseconds for one photograph, the median over its runs.
        memory: peak MiB of a run's process, the median over its runs.
        fast, small, both: whether it is on the Pareto front of pixel F1 and latency, of pixel F1 and memory, and of all
            three.
    """

    setup: Setup
    f1: float
    latency: float
    memory: float
    fast: bool = False
    small: bool = False
    both: bool = False


@dataclass(frozen=True)
class Measurements:
    """Measurements that can be compared: on one machine, and over the same categories.

    Attributes:
        timed: the detectors.
        categories: categories of the mean pixel F1.
        machine: description of the machine.
        caveat: what the measurements do not tell, in a sentence.
        notes: a line for each thing that is left out, with the reason.
    """

    timed: list[Timed]
    categories: tuple[str, ...]
    machine: str
    caveat: str
    notes: tuple[str, ...]


def measurements(results: Results, data: str) -> Measurements | None:
    """Measurements on the machine and number of threads of most runs; None if nothing was measured."""
    setups = results.setups(data)
    runs = [record for setup in setups for record in flat(results.runs(data, setup))]
    places = Counter(place for record in runs if (place := _place(record)) is not None)
    if not places:
        return None
    place = max(places, key=lambda one: (places[one], one))
    chosen = comparable(results, data, setups, _F1)
    notes = list(chosen.notes)
    timed, elsewhere = [], []
    for setup in chosen.setups:
        own = results.runs(data, setup)
        f1 = estimate(own, chosen.categories, _F1).mean
        latency = shared(own, lambda record: record.measured["latency_ms"] if _place(record) == place else None)
        memory = shared(
            own, lambda record: record.measured["peak_rss_bytes"] / MIB if _place(record) == place else None
        )
        if f1 is None or not latency or not memory:
            elsewhere.append(setup)
        else:
            timed.append(Timed(setup, f1, latency, memory))
    if not timed:
        return None
    if elsewhere:
        notes.append(f"Left out: {results.names(elsewhere)} (not measured on that machine with as many threads).")
    here = [record for record in runs if _place(record) == place]
    threads = "1 thread" if place[1] == 1 else f"{place[1]:g} threads"
    machine = f"{plain(here[0].machine.get('processor') or 'one machine', 60)}, {threads}"
    return Measurements(_fronts(timed), chosen.categories, machine, _caveat(here), tuple(notes))


def _caveat(runs: Sequence[Record]) -> str:
    """What the figures of a machine hold besides the detectors: its cores, and what else it did at the time."""
    cores = sorted({int(record.machine["cores"]) for record in runs if record.machine.get("cores")})
    had = (
        f"Runs had {', '.join(map(str, cores[:-1]))} or {cores[-1]} cores, and whether" if len(cores) > 1 else "Whether"
    )
    return (
        f"{had} other work ran beside them is not recorded: a latency taken beside other work is longer than on a "
        "quiet machine."
    )


def _place(record: Record) -> _Place | None:
    measured = record.measured
    if record.status != DONE or not measured.get("latency_ms") or not measured.get("peak_rss_bytes"):
        return None
    return str(record.machine.get("host_hash", "")), float(measured.get("latency_threads") or 0)


def _fronts(timed: list[Timed]) -> list[Timed]:
    able = [not one.setup.random_weights for one in timed]
    fast = unbeaten([(one.f1, -one.latency) for one in timed], able)
    small = unbeaten([(one.f1, -one.memory) for one in timed], able)
    both = unbeaten([(one.f1, -one.latency, -one.memory) for one in timed], able)
    return [
        dataclasses.replace(one, fast=f, small=s, both=b) for one, f, s, b in zip(timed, fast, small, both, strict=True)
    ]


def measured_figure(results: Results, data: str, key: str) -> Drawing | None:
    """The two panels; None where nothing was measured."""
    found = measurements(results, data)
    if found is None:
        return None
    every = len(results.categories(data))
    count = len(found.categories)
    mean = f"mean over {count} of {every} categories" if every > 1 else f"category {found.categories[0]}"
    beside = ", each with its layers beside it" if layers_vary([one.setup for one in found.timed]) else ""
    detectors = number_of(len(found.timed), "detector")
    caption = (
        f"Pixel F1 ({mean}) against the latency of one photograph, and against peak memory, as measured on one machine "
        f"({found.machine}). {found.caveat} Peak memory is the most that the process of a run held, including training "
        f"and tests. Ringed and joined: the Pareto front of each panel, those of the {detectors} that no other one "
        f"beats in both{beside}."
    )
    fast = "; ".join(results.name(one.setup) for one in found.timed if one.fast)
    small = "; ".join(results.name(one.setup) for one in found.timed if one.small)
    return draw(
        key,
        f"Accuracy against measured latency and peak memory, {data_name(data)}",
        caption,
        (11.2, 4.8),
        lambda figure: _paint(figure, results, found, mean),
        description=f"Two scatter plots of {detectors}. On the front of latency: {fast}. On the "
        f"front of memory: {small}.",
        notes=found.notes,
    )


def measured_table(results: Results, data: str, key: str) -> Table | None:
    """A table of the figure's points, with the fronts."""
    found = measurements(results, data)
    if found is None:
        return None
    columns = [
        *IDENTITY,
        Column("pixel F1"),
        Column("latency", "ms", hint="median of one photograph"),
        Column("peak memory", "MiB", hint="of the process of a run, training and tests included"),
        Column("front, latency", hint="no other one is at least as good in pixel F1 and latency and better in one"),
        Column("front, memory", hint="the same of pixel F1 and peak memory"),
        Column("front, both", hint="the same of all three"),
    ]
    table = Table(
        f"{key}-points",
        "The points of the figure, measured",
        columns,
        intro=f"Measured on {found.machine}. {found.caveat}",
    )
    for one in sorted(found.timed, key=lambda t: (t.latency, t.setup.order)):
        row = [*identity(results, one.setup), number(one.f1), amount(one.latency), amount(one.memory)]
        row += [Entry("yes", 0.0) if on else Entry("", 1.0) for on in (one.fast, one.small, one.both)]
        table.rows.append(row)
    mark_best(table.rows, len(IDENTITY))
    return table


def _paint(figure: Figure, results: Results, found: Measurements, mean: str) -> list[Mark]:
    told = {one.setup: _told(results, one) for one in found.timed}
    by_latency = [Dot(one.setup, one.latency, one.f1, one.fast, told[one.setup]) for one in found.timed]
    by_memory = [Dot(one.setup, one.memory, one.f1, one.small, told[one.setup]) for one in found.timed]
    looks = Looks(by_latency)
    left, right = figure.subplots(1, 2, sharey=True)
    f1 = f"pixel F1 ({short(mean)})"
    marks = scatter(left, by_latency, looks, cost="latency of one photograph (ms, log scale)", f1=f1)
    marks += scatter(right, by_memory, looks, cost="peak memory of a run's process (MiB, log scale)", f1="")
    looks.legend(figure)
    return marks


def _told(results: Results, one: Timed) -> str:
    lines = [results.name(one.setup), f"pixel F1 {one.f1:.3f}"]
    lines += [f"{three_digits(one.latency)} ms", f"peak {three_digits(one.memory)} MiB"]
    fronts = [name for name, on in (("latency", one.fast), ("memory", one.small)) if on]
    return "\n".join([*lines, *([f"on the front of {' and '.join(fronts)}"] if fronts else [])])
