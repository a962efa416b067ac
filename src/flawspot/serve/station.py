"""The station: detectors, the sources of their parts, the record, and the state of all of these."""

from __future__ import annotations

import contextlib
import importlib.metadata
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flawspot.data.drift_tests import DriftTests
from flawspot.errors import ConfigurationError, FlawspotError, FlawspotWarning
from flawspot.serve.anchor import write_anchor
from flawspot.serve.audit import ARTIFACTS, DRIFT, PICTURES, RECORD, keeps
from flawspot.serve.chain import Row
from flawspot.serve.drifting import Drifting
from flawspot.serve.events import Events
from flawspot.serve.inspection import Inspection
from flawspot.serve.keeping import Keeping, Pictures
from flawspot.serve.outputs.follower import Follower
from flawspot.serve.parts import Outcome, Part
from flawspot.serve.record import Record, RecordError
from flawspot.serve.sources import CameraSource, Source
from flawspot.serve.swapping import Loading, Swapping, present
from flawspot.serve.updating.process import Bounds
from flawspot.serve.updating.updates import Updates, remove_left
from flawspot.serve.watching import FolderSource

LOCK = "station.lock"
"""Name of the file that a working station holds."""
SWEEP_SECONDS = 600.0


@dataclass(frozen=True)
class Settings:
    """Settings of a station.

    Attributes:
        folder: folder of the record, pictures and artifacts.
        name: name of the station.
        waiting: most parts that may wait for each detector.
        keeping: which pictures are kept.
        loading: how artifacts are loaded.
        updates: how much of the machine an update may use.
        tried_for: the folder that `folder` is a copy of, where a start is only tried; else None.
    """

    folder: Path
    name: str = "station"
    waiting: int = 16
    keeping: Keeping = field(default_factory=Keeping)
    loading: Loading = field(default_factory=Loading)
    updates: Bounds = field(default_factory=Bounds)
    tried_for: Path | None = None

    @property
    def own(self) -> Path:
        """The folder that a start would use, resolved."""
        return (self.tried_for or self.folder).resolve()


class Station:
    """A station. Used in a ``with`` block.

    Attributes:
        inspections: inspections by detector name.
        swaps, updates: artifacts and updates by detector name.
        drifting: the drift tests.
        sources, outputs: threads that bring parts and deliver results.
        listeners: called with every outcome, in the thread that inspected it; metrics are one of them.
        trouble: what is wrong with the anchor, removing old pictures or keeping drift tests; None if nothing is.
    """

    def __init__(self, artifacts: Mapping[str, Path], settings: Settings) -> None:
        """Load the artifacts, given by detector name, and open the record.

        Raises:
            FlawspotError: an artifact cannot be loaded, the folder cannot be used, or another station uses it.
        """
        self.settings, self.events = settings, Events()
        self.sources: list[Source] = []
        self.outputs: list[Follower] = []
        self.listeners: list[Callable[[Outcome], None]] = []
        self.trouble: str | None = None
        self._stop = threading.Event()
        self._anchored: Row | None = None
        self._lock_file = _alone(settings.folder)
        try:
            self.record = Record(settings.folder / RECORD)
            try:
                write_anchor(self.record)
            except RecordError as error:
                self.trouble = str(error)
                warnings.warn(self.trouble, FlawspotWarning, stacklevel=2)
            self.pictures = Pictures(settings.folder / PICTURES, self.record, settings.keeping)
            self.drifting = Drifting(settings.folder / DRIFT, self.record)
            self.inspections: dict[str, Inspection] = {}
            self.swaps: dict[str, Swapping] = {}
            self.updates: dict[str, Updates] = {}
            remove_left(settings.folder)
            rows = self.record.of_kind("artifact", limit=10_000)
            others = {str(row.content["detector"]) for row in rows} - artifacts.keys()
            for name, path in artifacts.items():
                self._add(name, path, others)
        except BaseException:
            self._lock_file.close()
            raise
        self._housekeeper = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)

    def __enter__(self) -> Station:
        """Start everything."""
        versions = {"flawspot": importlib.metadata.version("flawspot"), "onnxruntime": _runtime_version()}
        self.record.add("station", {"event": "started", "station": self.settings.name, **versions})
        for inspection in self.inspections.values():
            inspection.start()
        for updates in self.updates.values():
            updates.start()
        for source in self.sources:
            source.start()
        for output in self.outputs:
            output.start()
        self._housekeeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything: first updates and sources, then the waiting parts are inspected, then the outputs."""
        for updates in self.updates.values():
            updates.close()
        for source in self.sources:
            source.stop()
        for source in self.sources:
            source.close()
        for inspection in self.inspections.values():
            inspection.close()
        for output in self.outputs:
            output.stop()
        self._stop.set()
        self._housekeeper.join(5)
        with contextlib.suppress(FlawspotError):  # a full disk was reported before
            self.drifting.save()
        self.events.close()
        try:
            self.record.add("station", {"event": "stopped", "station": self.settings.name})
            write_anchor(self.record)
        except FlawspotError:
            pass  # a full disk was reported before
        self.record.close()
        self._lock_file.close()

    @contextlib.contextmanager
    def abandoned_on_error(self) -> Iterator[None]:
        """Release the folder if the start fails."""
        try:
            yield
        finally:
            self.record.close()
            self._lock_file.close()

    def watch(self, folder: Path, detector: str | None = None) -> None:
        """Inspect the photographs in a folder, and new ones in it.

        Raises:
            FlawspotError: as for `FolderSource`; or there is no such detector, or the station keeps its own files
                there.
        """
        inspection, own, place = self.inspection(detector), self.settings.own, folder.resolve()
        if own.is_relative_to(place) or keeps(own, place):
            raise ConfigurationError(
                f"the station keeps its own files in {own}, which {folder} would watch: choose another --folder"
            )
        self.sources.append(FolderSource(folder, inspection, lambda item: self.record.of_item(item) is not None))

    def look_through(self, camera: str, detector: str | None = None, **options: Any) -> None:
        """Inspect the pictures of a camera or film. The options are those of `CameraSource`."""
        self.sources.append(CameraSource(camera, self.inspection(detector), **options))

    def inspection(self, detector: str | None) -> Inspection:
        """The detector with that name. None means the only one.

        Raises:
            ConfigurationError: there is no such detector, or there are several and none is named.
        """
        if detector is None:
            if len(self.inspections) > 1:
                names = ", ".join(self.inspections)
                raise ConfigurationError(f"there are several detectors: name one in the field `detector`: {names}")
            return next(iter(self.inspections.values()))
        if detector not in self.inspections:
            raise ConfigurationError(f"there is no detector {detector}: there are {', '.join(self.inspections)}")
        return self.inspections[detector]

    def send(self, part: Part, detector: str | None = None) -> Future[Outcome] | None:
        """Put a part in the queue. None if the queue is full, which is counted."""
        inspection = self.inspection(detector)
        if inspection.offer(part):
            return part.outcome
        inspection.tally.refused += 1
        return None

    def drift(self, detector: str) -> DriftTests:
        """The drift tests of a detector. A new artifact gets new ones."""
        return self.drifting.of(detector).tests

    def _add(self, name: str, path: Path, others: set[str]) -> None:
        loading, kept = self.settings.loading, self.settings.folder / ARTIFACTS
        loaded = present(name, loading.load(path), self.record, kept, loading, others)
        inspection = Inspection(name, loaded, self.record, self.pictures, self._told, waiting=self.settings.waiting)
        self.inspections[name] = inspection
        self.drifting.begin(inspection)
        swap = self.swaps[name] = Swapping(inspection, self.record, self.pictures, kept, loading, self.events.tell)
        self.updates[name] = Updates(
            swap, self.record, self.pictures, self.settings.folder, self.settings.updates, self.events.tell
        )

    def _told(self, outcome: Outcome) -> None:
        for listener in self.listeners:
            listener(outcome)
        for output in self.outputs:
            output.nudge()
        self.events.tell("result", outcome.as_dict())
        self.drifting.add(outcome)

    def _keep_house(self) -> None:
        """Once a second, write the anchor and check for silent cameras. Now and then remove old pictures, and keep the
        drift tests."""
        swept = time.monotonic()
        troubles: dict[Callable[[], object], str] = {}
        while not self._stop.wait(1.0):
            chores: list[Callable[[], object]] = [self._hear_silence, self._anchor]
            if time.monotonic() - swept > SWEEP_SECONDS:
                swept = time.monotonic()
                chores += [self.pictures.sweep, self.drifting.save]
            for chore in chores:  # one by one, as a damaged anchor must not let the disk fill up
                troubles.pop(chore, None)
                try:
                    chore()
                except Exception as error:
                    named = isinstance(error, FlawspotError | OSError)
                    troubles[chore] = str(error) if named else f"{type(error).__name__}: {error}"
            self.trouble = "; ".join(troubles.values()) or None

    def _hear_silence(self) -> None:
        for source in self.sources:
            limit = source.silent_seconds
            if limit is not None and time.monotonic() - source.state.heard > limit:
                source.silent()

    def _anchor(self) -> None:
        last = self.record.last
        if last is not None and last != self._anchored:
            write_anchor(self.record)
            self._anchored = last


def in_use(folder: Path) -> bool:
    """Whether a station works in the folder at this moment. Nothing is changed."""
    try:
        place = f"{(folder / LOCK).absolute().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(place, timeout=0.1, isolation_level=None, uri=True)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:  # also if there is no such file
        return "locked" in str(error)
    return False


def _alone(folder: Path) -> sqlite3.Connection:
    """Lock the folder for this process until it ends, in whatever way it ends.

    Raises:
        FlawspotError: another station uses the folder, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(folder / LOCK, timeout=0.5, isolation_level=None, check_same_thread=False)
        lock.execute("BEGIN EXCLUSIVE")
    except (OSError, sqlite3.Error) as error:
        if "locked" in str(error):
            raise FlawspotError(f"another station works in {folder}: end it, or choose another --folder") from error
        raise FlawspotError(f"cannot use the folder {folder}: {error}; choose another --folder") from error
    return lock


def _runtime_version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)
