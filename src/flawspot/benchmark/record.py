"""What the benchmark keeps of one run: the cell of the grid, and everything that came of it. No torch is needed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flawspot.benchmark.streams.stream import CATEGORIES, Stream, for_people
from flawspot.runtime.manifest import Part, Scalar

DONE, FAILED, MISSING = "done", "failed", "missing"
"""What can become of a run: measured; tried in vain; impossible here for want of weights or data."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of the grid: everything that the user chose for one run.

    Attributes:
        data: name of the data set in the grid, such as ``mvtec_ad``.
        category: of the data set, such as ``bottle``.
        backbone, layers, method, seed, input_size, normalization, precision: as `flawspot.train` takes them; `layers`
            as asked for, a group's name or indices.
        label: how the method is called in tables and figures; differs from `method` where a grid has variants of it.
        settings: hyperparameters that are not at their defaults.
        random_weights: the backbone is left untrained.
        stream: photographs that arrive in steps; None where all are there from the beginning.
        strategy: what is done at every step of the stream, see `flawspot.benchmark.streams.stream`; None without one.
        corruption: of the test photographs, None for none.
        severity: of the corruption, 1 to 5; 0 for none.
        contamination: share of defective photographs among the training ones, 0 to 1.
        shots: how many good photographs are learned from; None for all.
        tolerate: what good photographs may differ by, as `flawspot.data.tolerances.Tolerance.text`; None for nothing.
    """

    data: str
    category: str
    backbone: str
    layers: str
    method: str
    label: str
    settings: dict[str, Scalar] = field(default_factory=dict)
    seed: int = 0
    input_size: int = 224
    normalization: str = "weights"
    precision: str = "float32"
    random_weights: bool = False
    stream: Stream | None = None
    strategy: str | None = None
    corruption: str | None = None
    severity: int = 0
    contamination: float = 0.0
    shots: int | None = None
    tolerate: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        values = dataclasses.asdict(self)
        if self.tolerate is None:  # so that a run has the key that it had before there was such a thing
            del values["tolerate"]
        return values

    @property
    def identity(self) -> str:
        """All of it in one line, the same for equal cells."""
        return json.dumps(self.as_dict(), sort_keys=True)

    @property
    def categories(self) -> tuple[str, ...]:
        """Those whose photographs the run looks at: one, but for a stream of categories."""
        stream = self.stream
        return stream.steps if stream is not None and stream.of == CATEGORIES else (self.category,)

    @property
    def settings_text(self) -> str:
        """The settings in one line; empty where all are at their defaults."""
        return ", ".join(f"{name}={value}" for name, value in sorted(self.settings.items()))

    @property
    def variation(self) -> str:
        """What is done to the photographs, and what is learned to be good, in a few words; empty for nothing."""
        said = []
        if self.stream is not None and self.strategy is not None:
            said += [f"stream {self.stream.name} ({self.stream.text})", for_people(self.strategy)]
        if self.corruption is not None and self.severity:
            said.append(f"{self.corruption} {self.severity}")
        if self.contamination:
            said.append(f"{100 * self.contamination:g} % defective")
        if self.shots is not None:
            said.append(f"{self.shots} good photographs")
        if self.tolerate is not None:
            said.append(f"tolerates {self.tolerate}")
        return ", ".join(said)


def run_key(cell: Cell, *, data_fingerprint: str, weights_sha256: str, code_version: str) -> str:
    """The identity of a run: sha256 over everything that decides its result, as hexadecimal digits.

    The label is left out, and the name of a stream: they change what a run is called, not what comes of it.
    """
    decides = {name: value for name, value in cell.as_dict().items() if name != "label"}
    if cell.stream is None:
        # The keys of runs without a stream are those that they had before there were any.
        del decides["stream"], decides["strategy"]
    else:
        del decides["stream"]["name"]
    decides |= {"data_fingerprint": data_fingerprint, "weights_sha256": weights_sha256, "code_version": code_version}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run as it stands in the store.

    Attributes:
        key: `run_key` of the run.
        cell: what was asked for.
        status: `DONE`, `FAILED` or `MISSING`.
        taps: the block indices that `cell.layers` stands for.
        metrics: `flawspot.metrics.Metrics.as_dict`, and pixel figures at the masks' own size, whose names begin with
            ``mask_size_``, where they were measured; empty unless done.
        parts: of the detector, with bytes and multiply-accumulates for one photograph.
        paper_bytes, paper_macs: as the PaSTe paper counts; None where its way of counting says nothing.
        training_macs: for one image in one epoch; None for methods that train nothing.
        training_ram: bytes that training holds by the rule of the paper; None likewise.
        measured: by name: ``training_seconds``, ``seconds_<phase>``, ``evaluation_seconds``, ``latency_ms`` (median of
            one decoded photograph), ``latency_ms_p95``, ``latency_threads``, ``peak_rss_bytes`` of the process that ran
            it, ``run_seconds``.
        defect_sizes: small-defect analysis, an item for each band of area, ascending: ``smallest`` and ``largest`` area
            in thousandths of the photograph, ``regions``, ``found`` (at the threshold of the best pixel F1 on all
            sizes), ``recall``, ``f1_max``.
        steps: of a run of a stream, an item for each step: see `flawspot.benchmark.streams.one_stream`.
        examples: pictures for the report: ``kind`` (``best`` or ``worst``), ``image`` (name), ``defective``, ``score``,
            and ``picture``, the path of a PNG or JPEG relative to the store's folder.
        artifact: path of the trained artifact relative to the store's folder; None if not kept.
        artifact_bytes: its size.
        trained: whether this run trained the detector; False where it took one over that another run had left, None
            where that was not recorded.
        training_images: good photographs that the detector was made from, those held out for the epoch and for the
            threshold among them; None where that was not recorded.
        grid: title of the grid that the run was asked for in; empty where there was none.
        data_fingerprint, weights, weights_sha256, code_version: what the result depends on beside the cell.
        machine: of the run: ``system``, ``processor``, ``cores``, ``memory_bytes``, ``host_hash``.
        versions: of flawspot, python and the libraries.
        started, finished: ISO 8601 in UTC.
        error: one line for a failed or missing run, with its cure.
        traceback: of a failed run.
    """

    key: str
    cell: Cell
    status: str
    taps: tuple[int, ...] = ()
    metrics: dict[str, float | int | None] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    paper_bytes: int | None = None
    paper_macs: int | None = None
    training_macs: int | None = None
    training_ram: int | None = None
    measured: dict[str, float] = field(default_factory=dict)
    defect_sizes: tuple[dict[str, float | int | None], ...] = ()
    steps: tuple[dict[str, Any], ...] = ()
    examples: tuple[dict[str, Any], ...] = ()
    artifact: str | None = None
    artifact_bytes: int | None = None
    trained: bool | None = None
    training_images: int | None = None
    grid: str = ""
    data_fingerprint: str = ""
    weights: str = ""
    weights_sha256: str = ""
    code_version: str = ""
    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    started: str = ""
    finished: str = ""
    error: str | None = None
    traceback: str | None = None

    @property
    def bytes(self) -> int:
        """Of all parts."""
        return sum(part.bytes for part in self.parts)

    @property
    def macs(self) -> int:
        """Of all parts, for one photograph."""
        return sum(part.macs for part in self.parts)

    def to_json(self) -> str:
        """One line of JSON in ASCII, so that a name that is not UTF-8 comes back as it was."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The inverse of `to_json`. Unknown fields are ignored: a newer flawspot may have added them.

        Raises:
            ValueError, TypeError, KeyError: this is no record.
        """
        values = _known(cls, json.loads(text))
        values["cell"] = _cell(values["cell"])
        values["parts"] = tuple(Part(**_known(Part, part)) for part in values.get("parts", ()))
        for name in ("taps", "defect_sizes", "steps", "examples"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)


def newest(records: Sequence[Record]) -> list[Record]:
    """Of each cell the run that stands for it: the newest that is done, or if none is, the newest. In the order given.

    A cell has several where data, weights or code have changed since.
    """
    chosen: dict[str, Record] = {}
    for record in sorted(records, key=lambda r: (r.status == DONE, r.finished, r.started, r.key)):
        chosen[record.cell.identity] = record
    places = {id(record) for record in chosen.values()}
    return [record for record in records if id(record) in places]


def _cell(values: dict[str, Any]) -> Cell:
    known = _known(Cell, values)
    if known.get("stream") is not None:
        stream = _known(Stream, known["stream"])
        known["stream"] = Stream(**{**stream, "steps": tuple(stream["steps"])})
    return Cell(**known)


def _known(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
    names = {one.name for one in dataclasses.fields(kind)}
    return {name: value for name, value in values.items() if name in names}
