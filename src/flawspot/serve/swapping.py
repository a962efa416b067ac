"""Replaces a detector's artifact without a gap: the new one is tested, tried on the last pictures, and approved."""

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
from flawspot.runtime.artifact import no_such_file, verified
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
        """Load an artifact and run its self-test. With `sha256`, accept only that file.

        Raises:
            FlawspotError: it is not an artifact, is damaged, is not the given one, has another signer, or this machine
                computes other values.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise no_such_file(path) from None
        except OSError as error:
            raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from error
        found = hashlib.sha256(content).hexdigest()
        if sha256 is not None and found != sha256:
            raise ArtifactError(
                f"{path} is not the file that was approved: restore the one with the SHA-256 {sha256[:12]}, or start "
                "with another file"
            )
        return Loaded(load(path, self_test=True, **vars(self)), found, path)


class Swapping:
    """The artifacts of one detector: the present one, the previous one, and perhaps a candidate.

    Attributes:
        candidate: the artifact that waits for approval, if any.
        previous: the SHA-256 of the artifact that `back` returns to; None if there is none.
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
        """`folder` keeps the artifacts by their SHA-256. `told` is called with events."""
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
        """The state file of the present artifact, from which an update starts; None if the station has none."""
        loaded = self.inspection.loaded
        # The file at its original path may have been replaced meanwhile.
        places = (beside(self.folder / f"{loaded.sha256}.onnx"), beside(loaded.path))
        return next((path for path in places if path.is_file()), None)

    def begin(self, content: bytes, by: str, *, update_of: str | None = None, state: Path | None = None) -> Candidate:
        """Keep a sent artifact, load it, and try it on the last pictures in a thread of its own.

        Args:
            content: the bytes of its file.
            by: the sender.
            update_of: SHA-256 of the artifact that it updates.
            state: the file of its state, which is moved beside it once it is approved.

        Raises:
            FlawspotError: it cannot be loaded, and the present one stays. Or it is an update, and meanwhile another
                candidate was sent or another artifact began to judge.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        verified(content)
        path = self.folder / f"{sha256}.onnx"
        was_there = path.is_file()
        write_bytes(path, content)
        try:
            loaded = self.loading.load(path, sha256)
        except FlawspotError:
            if not was_there:  # an artifact that has judged is kept, even if it is damaged now
                path.unlink(missing_ok=True)
            raise
        manifest = loaded.detector.manifest
        found = Candidate(sha256, manifest.title(), manifest.calibration.threshold, by, update_of=update_of)
        with self._lock:
            if update_of is not None and self.candidate is not None and self.candidate.waits:
                raise FlawspotError("another candidate was sent meanwhile: approve it or turn it down, and ask again")
            if update_of not in (None, self.inspection.loaded.sha256):
                raise FlawspotError("another artifact judges now: ask for an update of that one")
            self.candidate, self._waiting, self._waiting_state = found, loaded, state
        threading.Thread(target=self._shadow, args=(found, loaded), name="shadow", daemon=True).start()
        return found

    def approve(self, sha256: str, by: str) -> None:
        """Switch to the candidate. The present artifact is kept, so that `back` can return to it.

        Raises:
            FlawspotError: there is no such candidate, or its trial is not finished.
        """
        with self._lock:
            found, loaded = self.candidate, self._waiting
            if found is None or loaded is None or found.sha256 != sha256:
                raise FlawspotError(f"no artifact {sha256[:12]} waits for approval: send it first")
            if found.state != "tried":
                raise FlawspotError(f"the artifact is {found.state}: wait until it was tried on the last pictures")
            if self._waiting_state is not None:  # first the state, so that the judging artifact can be updated again
                _move(self._waiting_state, beside(self.folder / f"{sha256}.onnx"))
                self._waiting_state = None
            self._switch(loaded, by, "approved", {"tried": found.pictures, "changed": len(found.changed)})
            self.candidate = self._waiting = self._waiting_state = None

    def turn_down(self, sha256: str, by: str) -> None:
        """Turn down the candidate. The present artifact stays.

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
        """Switch to the previous artifact.

        Raises:
            FlawspotError: there is no previous artifact.
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
        self._record.add("artifact", content | {"by": by, "how": how} | more)  # row first, then switch
        self.inspection.switch(loaded)
        self._before, self.previous = present, present.sha256
        self._told("artifact", content | {"how": how})

    def _recorded_before(self) -> str | None:
        """The artifact that the present one replaced, according to the record, if it is still kept."""
        present = self.inspection.loaded.sha256
        for row in self._record.of_kind("artifact", detector=self.inspection.name):
            content = row.content
            if content["artifact"] == present and content["previous"]:
                sha256 = str(content["previous"])
                return sha256 if (self.folder / f"{sha256}.onnx").is_file() else None
        return None

    def _shadow(self, found: Candidate, loaded: Loaded) -> None:
        """Judge the last pictures with both artifacts. The line is not delayed."""
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
    """The artifact to judge with from now on: the given one, or the one approved in its place since.

    An artifact that the record does not know was chosen by the person who starts the station, and is recorded as such.

    Args:
        name: name of the detector.
        given: the artifact given at the start.
        record: record of the station.
        folder: folder of its artifacts; a copy of `given` is kept there.
        loading: how an approved artifact is loaded.
        others: detectors that the record knows but that were not given.

    Warns:
        FlawspotWarning: another artifact than the given one judges, or the record knows only other detectors.

    Raises:
        FlawspotError: the approved artifact is missing or damaged, or the record cannot be written.
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
                f"the artifact {approved[:12]} that was approved for {name} is missing from {folder}: restore it, or "
                "start with another file"
            )
        found = loading.load(path, approved)
        _note(f"{name}: the artifact {approved[:12]} judges, which was approved at this station, not {given.path}")
        return found
    if not rows and others:
        known = sorted(others)
        _note(
            f"the record knows no detector {name}, but {', '.join(known)}: {name} is new, and files in "
            f"watched folders are judged again; to continue as before give {known[0]}={given.path}"
        )
    previous = rows[0]["artifact"] if rows else None
    content = {"detector": name, "artifact": given.sha256, "previous": previous, "by": "who started the station"}
    record.add("artifact", content | {"how": "start"})
    return given


def _keep_state(given: Path, kept: Path) -> None:
    """Copy the state beside the given artifact, so that it is available after a return to that artifact."""
    if not given.is_file() or (kept.is_file() and _stamp(given) == _stamp(kept)):
        return
    try:
        with replacing(kept) as temporary:
            shutil.copyfile(given, temporary)
            os.utime(temporary, ns=(given.stat().st_atime_ns, given.stat().st_mtime_ns))
    except FlawspotError as error:
        _note(f"{error}; the detector works, but cannot be updated at the station after another one has judged")


def _stamp(path: Path) -> tuple[int, int]:
    """Identifies a copy of a large file without reading both."""
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
