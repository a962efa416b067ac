"""The drift tests of a station's detectors. They are kept in its folder, so that a restart forgets no evidence."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawspot.data.drift_tests import DriftTests
from flawspot.errors import ArtifactError, FlawspotError, FlawspotWarning
from flawspot.files import special_kind, write_bytes
from flawspot.runtime.tensors import read_tensors, write_tensors
from flawspot.serve.chain import Row
from flawspot.serve.inspection import Inspection, Loaded
from flawspot.serve.parts import ANOMALOUS, GOOD, Outcome
from flawspot.serve.record import Record, as_time, now
from flawspot.texts import visible

KIND = "drift"
"""Kind of the rows that tell of tests started anew."""
SCHEMA_VERSION = "1"
SUFFIX = ".safetensors"
MAX_BYTES = 64 << 20
"""Size in bytes that no file of tests comes to: 20,000 scores in each of seven tests take 1.1 MB."""


@dataclass(frozen=True)
class Evidence:
    """The drift tests of one detector.

    Attributes:
        artifact: SHA-256 of the artifact that has judged the parts.
        begun: when the tests began, in the form of rows.
        tests: the tests.
    """

    artifact: str
    begun: str
    tests: DriftTests

    @classmethod
    def none_yet(cls, loaded: Loaded) -> Evidence:
        """New tests for an artifact."""
        return cls(loaded.sha256, now(), DriftTests.against(loaded.detector.manifest.calibration))

    @property
    def changes(self) -> list[str]:
        """What has changed besides the scores, for people."""
        share = self.tests.share
        return [*map(str, self.tests.looks.changes), *([str(share)] if share.alarm else [])]

    def as_dict(self) -> dict[str, Any]:
        """What the tests say, in the form of the API. `evidence` and `parts` are those of the scores."""
        scores, looks, share = self.tests.scores, self.tests.looks, self.tests.share
        measures = {name: round(value, 2) for name, value in looks.evidence.items()}
        evidence: dict[str, dict[str, Any]] = {
            "scores": {"evidence": round(scores.evidence, 2)},
            "looks": {"evidence": max(measures.values()), "measures": measures},
            "verdicts": {"evidence": round(share.test.evidence, 2)},
        }
        alarms = self.tests.alarms
        return {
            "alarm": any(alarms.values()),
            "evidence": evidence["scores"]["evidence"],
            "parts": scores.seen,
            "changes": self.changes,
            "since": self.begun,
            "tests": {name: {"alarm": alarm, **evidence[name]} for name, alarm in alarms.items()},
        }


class Drifting:
    """The drift tests of all detectors of a station, by their names. Thread-safe."""

    def __init__(self, folder: Path, record: Record) -> None:
        """`folder` is where they are kept, `record` where it is told that tests were started anew."""
        self._folder, self._record = folder, record
        self._watched: dict[str, _Watched] = {}

    def begin(self, inspection: Inspection) -> None:
        """Take up the kept tests of a detector, or begin new ones if there are none of its artifact.

        Warns:
            FlawspotWarning: the kept ones cannot be used.
        """
        # Names may hold what file systems do not take.
        name = hashlib.sha256(inspection.name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._watched[inspection.name] = _Watched(inspection, self._folder / f"{name}{SUFFIX}")

    def add(self, outcome: Outcome) -> None:
        """Bet on the next part. One that was not inspected says nothing."""
        if outcome.photograph is not None and outcome.content["verdict"] in (GOOD, ANOMALOUS):
            self._watched[str(outcome.content["detector"])].add(outcome)

    def of(self, detector: str) -> Evidence:
        """The tests of a detector. A new artifact gets new ones."""
        return self._watched[detector].evidence

    def told(self, detector: str) -> dict[str, Any]:
        """What the tests of a detector say; see `Evidence.as_dict`."""
        return self._watched[detector].told()

    def save(self) -> None:
        """Keep the tests to which something was added.

        Raises:
            FlawspotError: some cannot be written. The others are.
        """
        troubles = []
        for watched in self._watched.values():
            try:
                watched.save()
            except FlawspotError as error:
                troubles.append(str(error))
        if troubles:
            raise FlawspotError("; ".join(troubles))

    def anew(self, detector: str, by: str) -> Row:
        """Start the tests of a detector anew; returns the record's row of it.

        Raises:
            RecordError: the row cannot be written. The tests go on.
        """
        return self._watched[detector].anew(by, self._record)


class _Watched:
    """The tests of one detector, and the file that keeps them."""

    def __init__(self, inspection: Inspection, path: Path) -> None:
        self._inspection, self._path = inspection, path
        self._lock, self._saving = threading.Lock(), threading.Lock()
        self._changed = False
        self._evidence = self._kept() or Evidence.none_yet(inspection.loaded)

    @property
    def evidence(self) -> Evidence:
        with self._lock:
            return self._present()

    def told(self) -> dict[str, Any]:
        with self._lock:
            return self._present().as_dict()

    def add(self, outcome: Outcome) -> None:
        content, photograph = outcome.content, outcome.photograph
        with self._lock:
            evidence = self._present()
            if photograph is None or content["artifact"] != evidence.artifact:  # another one has judged meanwhile
                return
            self._changed = True
            evidence.tests.add(photograph, float(content["score"]), content["verdict"] == ANOMALOUS)

    def save(self) -> None:
        with self._saving:
            self._write()

    def anew(self, by: str, record: Record) -> Row:
        with self._saving:
            with self._lock:
                before = self._present()
                said = before.as_dict()
            content = {"detector": self._inspection.name, "artifact": before.artifact, "by": by, "how": "started anew"}
            row = record.add(KIND, content | {"said": said})  # row first, then the tests
            with self._lock:
                self._evidence, self._changed = Evidence.none_yet(self._inspection.loaded), True
            with contextlib.suppress(FlawspotError):  # it is done; the next saving tells what is wrong with the disk
                self._write()
            return row

    def _present(self) -> Evidence:
        if self._evidence.artifact != self._inspection.loaded.sha256:
            self._evidence, self._changed = Evidence.none_yet(self._inspection.loaded), False
        return self._evidence

    def _write(self) -> None:
        """Write what has changed. Parts are inspected meanwhile."""
        with self._lock:
            if not self._changed:
                return
            evidence, self._changed = self._evidence, False
            pieces = write_tensors(evidence.tests.as_arrays(), _metadata(self._inspection.name, evidence))
            data = b"".join(pieces)
        try:
            write_bytes(self._path, data)
        except FlawspotError:
            self._changed = True
            raise

    def _kept(self) -> Evidence | None:
        name = self._inspection.name
        try:
            data = _read(self._path)
            return None if data is None else _restored(data, name, self._inspection.loaded)
        except FlawspotError as error:
            text = f"{self._path} cannot be used: {error}; the drift tests of {name} start anew"
            warnings.warn(visible(text), FlawspotWarning, stacklevel=2)
            return None


def _read(path: Path) -> bytes | None:
    """The bytes of a file; None if there is none.

    Raises:
        ArtifactError: it cannot be read, or is not a regular file of a size that tests come to.
    """
    try:
        kind = special_kind(path)
        if kind is not None:
            raise ArtifactError(f"it is {kind}")
        if path.stat().st_size > MAX_BYTES:
            raise ArtifactError("it is larger than any such file")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArtifactError(str(error.strerror or error)) from error


def _metadata(detector: str, evidence: Evidence) -> dict[str, str]:
    own = {"detector": detector, "artifact": evidence.artifact, "begun": evidence.begun}
    return {"flawspot.drift": SCHEMA_VERSION, **own}


def _restored(data: bytes, detector: str, loaded: Loaded) -> Evidence | None:
    """The tests from the bytes of their file; None if they are those of another artifact.

    Raises:
        ArtifactError: it is damaged, of another schema, or of another detector.
    """
    arrays, metadata = read_tensors(data)
    version = metadata.get("flawspot.drift")
    if version != SCHEMA_VERSION:
        raise ArtifactError(f"it is of schema {str(version)[:20]}, this flawspot reads {SCHEMA_VERSION}")
    if metadata.get("detector") != detector:
        raise ArtifactError("it is of another detector")
    if metadata.get("artifact") != loaded.sha256:
        return None
    tests = DriftTests.restored(arrays, loaded.detector.manifest.calibration.threshold)
    return Evidence(loaded.sha256, _moment(metadata.get("begun", "")), tests)


def _moment(text: str) -> str:
    """The time if it is one of a row, which any zone can show."""
    with contextlib.suppress(ValueError, OverflowError):
        found = datetime.datetime.fromisoformat(text)
        if 1970 < found.year < 9999 and as_time(found) == text:
            return text
    raise ArtifactError(f"its time {text[:30]!a} is none: it is damaged")
