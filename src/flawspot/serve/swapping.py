"""Another artifact in the place of the present one, without a gap: tested, tried on the last pictures, approved."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawspot.errors import ArtifactError, ConfigurationError, FlawspotError, FlawspotWarning
from flawspot.files import replacing, write_bytes
from flawspot.runtime.artifact import verified
from flawspot.runtime.detector import load
from flawspot.runtime.signature import Key
from flawspot.runtime.state import beside
from flawspot.serve.candidates import Candidate, Difference
from flawspot.serve.inspection import Inspection, Loaded, judge
from flawspot.serve.keeping import Pictures
from flawspot.serve.parts import Part
from flawspot.serve.record import Record


@dataclass(frozen=True)
class Loading:
    """How artifacts are loaded; see `flawspot.runtime.detector.load`."""

    threads: int | None = None
    device: str | None = None
    max_pixels: int | None = None
    trusted_keys: Sequence[Key] | None = None

    def load(self, path: Path, sha256: str | None = None) -> Loaded:
        """Load an artifact with its self-test; with `sha256` that one and no other.

        Raises:
            FlawspotError: it is none, damaged, another, of another signer, or this machine computes something else.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from error
        found = hashlib.sha256(content).hexdigest()
        if sha256 is not None and found != sha256:
            raise ArtifactError(
                f"{path} is another file than was approved: put the one with the SHA-256 {sha256[:12]} back, or start "
                "with another file"
            )
        return Loaded(load(path, self_test=True, **vars(self)), found, path)


class Swapping:
    """The artifacts of one detector: the present one, the one before, and perhaps a candidate.

    Attributes:
        candidate: that waits for approval.
        previous: the SHA-256 of the artifact that `back` goes to; None where there is none.
    """

    def __init__(
        self,
        inspection: Inspection,
        record: Record,
        pictures: Pictures,
        folder: Path,
        loading: Loading,
        told: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """`folder` keeps the artifacts by their SHA-256; `told` hears of what happens."""
        self.inspection, self.folder, self.loading = inspection, folder, loading
        self.candidate: Candidate | None = None
        self._waiting: Loaded | None = None
        self._waiting_state: Path | None = None
        self._before: Loaded | None = None
        self._record, self._pictures, self._told = record, pictures, told
        self._lock = threading.Lock()
        self.previous = self._recorded_before()

    @property
    def state(self) -> Path | None:
        """The file of the present artifact's state, from which an update goes on; None where there is none here."""
        loaded = self.inspection.loaded
        # At the place that it was started with, another one may lie by now.
        places = (beside(self.folder / f"{loaded.sha256}.onnx"), beside(loaded.path))
        return next((path for path in places if path.is_file()), None)

    def begin(self, content: bytes, by: str, *, update_of: str | None = None, state: Path | None = None) -> Candidate:
        """Keep an artifact that was sent, load it, and try it on the last pictures in a thread of its own.

        Args:
            content: of its file.
            by: who has sent it.
            update_of: the SHA-256 of the artifact that it is an update of.
            state: the file of its state, which is moved beside it once it is approved.

        Raises:
            FlawspotError: it cannot be loaded; the present one stays. Or it is an update, and meanwhile another
                candidate was sent, or the artifact that it is an update of judges no longer.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        verified(content)
        path = self.folder / f"{sha256}.onnx"
        was_there = path.is_file()
        write_bytes(path, content)
        try:
            loaded = self.loading.load(path, sha256)
        except FlawspotError:
            if not was_there:  # one that has judged is kept, whatever is wrong with it now
                path.unlink(missing_ok=True)
            raise
        manifest = loaded.detector.manifest
        found = Candidate(sha256, manifest.title(), manifest.calibration.threshold, by, update_of=update_of)
        with self._lock:
            if update_of is not None and self.candidate is not None and self.candidate.waits:
                raise FlawspotError("another candidate was sent meanwhile: approve it or turn it down, and ask again")
            if update_of not in (None, self.inspection.loaded.sha256):
                raise FlawspotError("another artifact judges since then: ask again, for an update of that one")
            self.candidate, self._waiting, self._waiting_state = found, loaded, state
        threading.Thread(target=self._shadow, args=(found, loaded), name="shadow", daemon=True).start()
        return found

    def approve(self, sha256: str, by: str) -> None:
        """Switch to the candidate; the present artifact is kept for going back.

        Raises:
            FlawspotError: there is no such candidate, or it was not tried to the end.
        """
        with self._lock:
            found, loaded = self.candidate, self._waiting
            if found is None or loaded is None or found.sha256 != sha256:
                raise FlawspotError(f"no artifact {sha256[:12]} waits for approval: send it first")
            if found.state != "tried":
                raise FlawspotError(f"the artifact is {found.state}: wait until it was tried on the last pictures")
            if self._waiting_state is not None:  # before, so that what judges can be updated again
                _move(self._waiting_state, beside(self.folder / f"{sha256}.onnx"))
                self._waiting_state = None
            self._switch(loaded, by, "approved", {"tried": found.pictures, "changed": len(found.changed)})
            self.candidate = self._waiting = self._waiting_state = None

    def turn_down(self, sha256: str, by: str) -> None:
        """Let the candidate go; the present artifact goes on.

        Raises:
            FlawspotError: there is no such candidate, or the record cannot be written.
        """
        with self._lock:
            if self.candidate is None or self.candidate.sha256 != sha256:
                raise FlawspotError(f"no artifact {sha256[:12]} waits for approval")
            content = {"detector": self.inspection.name, "artifact": sha256, "by": by, "how": "turned down"}
            self._record.add("candidate", content)
            self.candidate = self._waiting = self._waiting_state = None

    def back(self, by: str) -> None:
        """Switch to the artifact that was at work before.

        Raises:
            FlawspotError: there is none.
        """
        with self._lock:
            if self._before is None and self.previous is not None:
                self._before = self.loading.load(self.folder / f"{self.previous}.onnx", self.previous)
            if self._before is None:
                raise FlawspotError("there is no artifact before this one")
            self._switch(self._before, by, "rolled back", {})

    def _switch(self, loaded: Loaded, by: str, how: str, more: dict[str, Any]) -> None:
        present = self.inspection.loaded
        content = {"detector": self.inspection.name, "artifact": loaded.sha256, "previous": present.sha256}
        self._record.add("artifact", content | {"by": by, "how": how} | more)  # before, so that no switch is unrecorded
        self.inspection.switch(loaded)
        self._before, self.previous = present, present.sha256
        self._told("artifact", content | {"how": how})

    def _recorded_before(self) -> str | None:
        """What the present artifact took the place of, by the record, if it is still kept."""
        present = self.inspection.loaded.sha256
        for row in self._record.of_kind("artifact", detector=self.inspection.name):
            content = row.content
            if content["artifact"] == present and content["previous"]:
                sha256 = str(content["previous"])
                return sha256 if (self.folder / f"{sha256}.onnx").is_file() else None
        return None

    def _shadow(self, found: Candidate, loaded: Loaded) -> None:
        """Judge the last pictures by both artifacts; the line is not kept waiting."""
        try:
            recent = self._pictures.recent(self.inspection.name)
            found.of = len(recent)
            for picture in recent:
                path = self._pictures.find(picture)
                if path is not None:
                    self._compare(found, loaded, picture, path)
            found.state = "tried"
        except Exception as error:
            found.state, found.reason = "failed", f"{type(error).__name__}: {error}"
        self._told("candidate", found.as_dict())

    def _compare(self, found: Candidate, loaded: Loaded, picture: str, path: Path) -> None:
        before, after = (
            judge(each.detector, Part(path, picture, "shadow")).content for each in (self.inspection.loaded, loaded)
        )
        found.pictures += 1
        severities = (before["severity"], after["severity"])
        if before["verdict"] != after["verdict"]:
            found.changed.append(Difference(picture, before["verdict"], after["verdict"], *severities))
        elif None not in severities:
            found.largest_change = max(found.largest_change, abs(severities[0] - severities[1]))


def present(
    name: str, given: Loaded, record: Record, folder: Path, loading: Loading, others: Collection[str] = ()
) -> Loaded:
    """The artifact that judges from now on: the one that was given, or that which was approved in its place since.

    One that the record does not know was put there by whoever starts the station, and is recorded as such.

    Args:
        name: of the detector.
        given: at the start.
        record: of the station.
        folder: of its artifacts; `given` is kept there.
        loading: how one that was approved is loaded.
        others: detectors that the record knows and that were not given.

    Warns:
        FlawspotWarning: another artifact judges than the one that was given, or the record knows other detectors only.

    Raises:
        FlawspotError: what was approved is gone or damaged, or the record cannot be written.
    """
    kept = folder / f"{given.sha256}.onnx"
    if not kept.is_file() or hashlib.sha256(kept.read_bytes()).hexdigest() != given.sha256:
        with replacing(kept) as temporary:
            shutil.copyfile(given.path, temporary)
    _keep_state(beside(given.path), beside(kept))
    rows = [row.content for row in record.of_kind("artifact", detector=name, limit=10_000)]
    started = next((content["artifact"] for content in rows if content["how"] == "start"), None)
    if started == given.sha256:
        approved = str(rows[0]["artifact"])
        if approved == given.sha256:
            return given
        path = folder / f"{approved}.onnx"
        if not path.is_file():
            raise ConfigurationError(
                f"the artifact {approved[:12]} that was approved for {name} is no longer in {folder}: put it back, or "
                "start with another file"
            )
        found = loading.load(path, approved)
        _note(f"{name}: {approved[:12]} judges, which was approved at this station, not {given.path}")
        return found
    if not rows and others:
        known = sorted(others)
        _note(
            f"the record knows no detector {name}, but {', '.join(known)}: {name} begins anew, and what lies in "
            f"watched folders is judged again; to go on as before give {known[0]}={given.path}"
        )
    previous = rows[0]["artifact"] if rows else None
    content = {"detector": name, "artifact": given.sha256, "previous": previous, "by": "who started the station"}
    record.add("artifact", content | {"how": "start"})
    return given


def _keep_state(given: Path, kept: Path) -> None:
    """A copy of the state that lies beside the artifact that was given, for after a way back to that."""
    if not given.is_file() or (kept.is_file() and _stamp(given) == _stamp(kept)):
        return
    try:
        with replacing(kept) as temporary:
            shutil.copyfile(given, temporary)
            os.utime(temporary, ns=(given.stat().st_atime_ns, given.stat().st_mtime_ns))
    except FlawspotError as error:
        _note(f"{error}; the detector judges, and cannot be updated at the station once another has judged")


def _stamp(path: Path) -> tuple[int, int]:
    """By which a copy of a large file is known without reading both."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _move(path: Path, place: Path) -> None:
    try:
        path.replace(place)
    except OSError as error:
        raise FlawspotError(
            f"cannot keep the state {place}: {error.strerror or error}; ask for an update again"
        ) from error


def _note(text: str) -> None:
    warnings.warn(text, FlawspotWarning, stacklevel=3)
