"""The record of one run: its cell of the grid and all its results. No torch is needed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flawspot.benchmark.record_checks import check_record
from flawspot.benchmark.streams.stream import CATEGORIES, Stream, for_people
from flawspot.runtime.manifest import Part, Scalar

DONE, FAILED, MISSING = "done", "failed", "missing"
"""Status of a run: measured; failed; impossible here because weights or data are missing."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of the grid: everything that the user chose for one run.

    Attributes:
        data: name of the data set in the grid, such as ``mvtec_ad``.
        category: category of the data set, such as ``bottle``.
        backbone, layers, method, seed, input_size, normalization, precision: as in `flawspot.train`. `layers` is the
            name of a group or indices, as the user wrote it.
        label: the method's name in tables and figures. It differs from `method` if a grid has variants of the method.
        settings: hyperparameters that differ from their defaults.
        random_weights: whether the backbone is untrained.
        stream: photographs that arrive in steps; None if all are there from the beginning.
        strategy: action at every step of the stream, see `flawspot.benchmark.streams.stream`; None without a stream.
        corruption: corruption of the test photographs; None for none.
        severity: severity of the corruption, 1 to 5; 0 for none.
        contamination: share of defective photographs among the training ones, 0 to 1.
        shots: number of good training photographs; None for all.
        tolerate: the tolerated variations, as `flawspot.data.tolerances.Tolerance.text`; None for none.
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
        """The cell as plain values for JSON."""
        values = dataclasses.asdict(self)
        if self.tolerate is None:  # such a run keeps the key that it had before this field existed
            del values["tolerate"]
        return values

    @property
    def identity(self) -> str:
        """The whole cell in one line, the same for equal cells."""
        return json.dumps(self.as_dict(), sort_keys=True)

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories whose photographs the run uses: one, or several for a stream of categories."""
        stream = self.stream
        return stream.steps if stream is not None and stream.of == CATEGORIES else (self.category,)

    @property
    def settings_text(self) -> str:
        """The settings in one line; empty if all are at their defaults."""
        return in_one_line(self.settings)

    @property
    def variation(self) -> str:
        """The changes to the photographs and the tolerance, in a few words; empty for none."""
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


def in_one_line(settings: Mapping[str, Scalar]) -> str:
    """Settings as text, by name; empty for none."""
    return ", ".join(f"{name}={value}" for name, value in sorted(settings.items()))


def run_key(cell: Cell, *, data_fingerprint: str, weights_sha256: str, code_version: str) -> str:
    """The identity of a run: sha256 over everything that affects its result, as hexadecimal digits.

    The label and the name of a stream are left out, because they do not affect the result.
    """
    decides = {name: value for name, value in cell.as_dict().items() if name != "label"}
    if cell.stream is None:
        # Runs without a stream keep the keys that they had before streams existed.
        del decides["stream"], decides["strategy"]
    else:
        del decides["stream"]["name"]
    decides |= {"data_fingerprint": data_fingerprint, "weights_sha256": weights_sha256, "code_version": code_version}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run as it is stored.

    Attributes:
        key: `run_key` of the run.
        cell: the cell of the grid.
        status: `DONE`, `FAILED` or `MISSING`.
        taps: the block indices for `cell.layers`.
        metrics: `flawspot.metrics.Metrics.as_dict`; if they were measured, also pixel figures at the masks' own size,
            with the prefix ``mask_size_``. Empty unless done.
        parts: parts of the detector, with bytes and multiply-accumulates for one photograph.
        paper_bytes, paper_macs: as the PaSTe paper counts; None if its way of counting does not apply.
        training_macs: multiply-accumulates for one image in one epoch; None for methods without training by gradient.
        training_ram: bytes that training holds by the rule of the paper; None for the same methods.
        measured: figures by name: ``training_seconds``, ``seconds_<phase>``, ``evaluation_seconds``, ``latency_ms``
            (median of one decoded photograph), ``latency_ms_p95``, ``latency_threads``, ``peak_rss_bytes`` of the
            process that did the run, ``run_seconds``.
        defect_sizes: small-defect analysis, an item for each band of area, ascending: ``smallest`` and ``largest`` area
            in thousandths of the photograph, ``regions``, ``found`` (at the threshold of the best pixel F1 on all
            sizes), ``recall``, ``f1_max``.
        steps: for a run of a stream, an item for each step: see `flawspot.benchmark.streams.one_stream`.
        examples: pictures for the report: ``kind`` (``best`` or ``worst``), ``image`` (name), ``defective``, ``score``,
            and ``picture``, the path of a PNG or JPEG relative to the store's folder.
        artifact: path of the trained artifact relative to the store's folder; None if not kept.
        artifact_bytes: size of the artifact.
        trained: whether this run trained the detector; False if it used one that another run had trained, None if this
            was not recorded.
        training_images: number of good photographs for the detector, including those held out for the epoch and for
            the threshold; None if this was not recorded.
        grid: title of the run's grid; empty without a title.
        data_fingerprint, weights, weights_sha256, code_version: everything besides the cell that affects the result.
        machine: machine of the run: ``system``, ``processor``, ``cores``, ``memory_bytes``, ``host_hash``, and
            ``training_threads``, the threads of torch: with another number a student differs in its last digits.
        versions: versions of flawspot, python and the libraries.
        started, finished: ISO 8601 in UTC.
        error: one line for a failed or missing run, with its cure.
        traceback: traceback of a failed run.
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
        """Bytes of all parts."""
        return sum(part.bytes for part in self.parts)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all parts, for one photograph."""
        return sum(part.macs for part in self.parts)

    def to_json(self) -> str:
        """One line of JSON in ASCII, so that a name that is not UTF-8 is restored exactly."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The inverse of `to_json`. Unknown fields are ignored: a newer flawspot may have added them.

        Raises:
            ValueError: the text is not a record: see `check_record`.
        """
        values = check_record(text)
        stream = values["cell"].get("stream")
        if stream is not None:
            values["cell"]["stream"] = Stream(**{**stream, "steps": tuple(stream["steps"])})
        values["cell"] = Cell(**values["cell"])
        values["parts"] = tuple(Part(**part) for part in values.get("parts", ()))
        for name in ("taps", "defect_sizes", "steps", "examples"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)


def newest(records: Sequence[Record]) -> list[Record]:
    """One run for each cell, in the given order: the newest that is done or, if none is done, the newest.

    A cell has several runs if data, weights or code have changed.
    """
    chosen: dict[str, Record] = {}
    for record in sorted(records, key=lambda r: (r.status == DONE, r.finished, r.started, r.key)):
        chosen[record.cell.identity] = record
    places = {id(record) for record in chosen.values()}
    return [record for record in records if id(record) in places]
