"""The updates of one detector at the station. A person asks for one, it is made beside the line, and becomes a
candidate.

An update does not change what judges by itself. It is tried and approved like any artifact that was sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flawspot.errors import DataError, FlawspotError
from flawspot.extras import require
from flawspot.methods.updating import updating_of
from flawspot.runtime.state import beside
from flawspot.serve.keeping import Pictures
from flawspot.serve.record import Record, now
from flawspot.serve.swapping import Swapping
from flawspot.serve.updating.choosing import Asked, choose
from flawspot.serve.updating.process import Bounds, Process
from flawspot.texts import counted

KIND = "update"
"""Kind of rows in the record. Each has an ``event``: ``began``, ``made`` or ``failed``."""
_PREFIX = ".update-"
_PATIENCE = 10.0


@dataclass
class Run:
    """The current or last update.

    Attributes:
        state: state of the update: ``running``, ``made`` or ``failed``.
        by: the person who asked for it.
        artifact: SHA-256 of the artifact that it starts from.
        time: time of its beginning or end.
        since: start time of the results used.
        step, done, of: the current step, and its progress if that is counted.
        pictures: counts of pictures chosen and left out; see `flawspot.serve.updating.choosing.Chosen`.
        report: what has changed; see `flawspot.updating.Report`.
        candidate: SHA-256 of the resulting artifact.
        reason: why it failed.
    """

    state: str
    by: str
    artifact: str
    time: str
    since: str | None = None
    step: str | None = None
    done: int | None = None
    of: int | None = None
    pictures: dict[str, int] | None = None
    report: dict[str, Any] | None = None
    candidate: str | None = None
    reason: str | None = None

    @property
    def far(self) -> str | None:
        """Its progress as a sentence; None if it is not running."""
        if self.state != "running":
            return None
        return f"Under way: {self.step}" + (f", {self.done} of {self.of}." if self.of else ".")


class Updates:
    """The updates of one detector. Thread-safe."""

    def __init__(
        self,
        swap: Swapping,
        record: Record,
        pictures: Pictures,
        folder: Path,
        bounds: Bounds,
        told: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """`folder` is the station's. `told` is called at the beginning and end of an update."""
        self._swap, self._record, self._pictures, self._folder = swap, record, pictures, folder
        self._bounds, self._told = bounds, told
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._process: Process | None = None
        self._thread: threading.Thread | None = None
        self._work: Path | None = None
        self._run = self._recorded()

    @property
    def name(self) -> str:
        """Name of the detector."""
        return self._swap.inspection.name

    def start(self) -> None:
        """Record the failure of an update that was cut off when the station ended, or whose result was lost by that."""
        run = self._run
        if run is not None and run.state == "running":
            self._fail(run, "the station ended before it was done: ask again")
        elif run is not None and run.state == "made" and not self._decided(run):
            run.candidate = None  # candidates wait in memory alone
            self._fail(run, "the station ended before its result was approved or turned down: ask again")

    def close(self) -> None:
        """End a running update, and leave nothing of it but its rows."""
        with self._lock:
            self._closing.set()
            process = self._process
        if process is not None:
            process.kill()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        self._clear()

    def as_dict(self) -> dict[str, Any]:
        """In the form of the API: the current or last update, its progress ``far``, and why none can be asked for."""
        run, cannot = self._run, None
        try:
            self._check()
        except FlawspotError as error:
            cannot = str(error)
        told = {"state": "none", "far": None} if run is None else {**asdict(run), "far": run.far}
        return {**told, "cannot": cannot}

    def ask(self, asked: Asked) -> dict[str, Any]:
        """Start an update in its own thread and process.

        Raises:
            FlawspotError: an update is running, a candidate waits, there is no state, the method cannot be updated
                here, or the station accepts only signed artifacts.
        """
        with self._lock:
            self._check()
            since = asked.since or self._judges_since()
            run = Run("running", asked.by, self._swap.inspection.loaded.sha256, now(), since, "choosing pictures")
            self._run = run
            self._thread = threading.Thread(target=self._work_on, args=(run, asked, since), name="update", daemon=True)
            self._thread.start()
        return self.as_dict()

    def _check(self) -> None:
        """Raises the errors of `ask`."""
        name, swap = self.name, self._swap
        loaded, candidate = swap.inspection.loaded, swap.candidate
        if self._closing.is_set():
            raise FlawspotError("the station is being ended")
        if self._run is not None and self._run.state == "running":
            raise FlawspotError(f"an update of {name} is under way: wait until it is done")
        if candidate is not None and candidate.waits:
            raise FlawspotError(f"a candidate for {name} waits: approve it or turn it down, then ask for an update")
        if swap.loading.trusted_keys:
            raise FlawspotError(
                "this station accepts only signed artifacts, and an update made here is not signed: update it "
                "where the key is (flawspot update), then send it"
            )
        if updating_of(loaded.detector.manifest.method).needs_torch:
            require("torch", f"updating a detector of the method {loaded.detector.manifest.method}")
        if swap.state is None:
            raise FlawspotError(
                f"the state of the artifact {loaded.sha256[:12]} is not at the station: put the .state file that "
                f"`flawspot train --state` wrote with it at {beside(swap.folder / f'{loaded.sha256}.onnx')}"
            )

    def _judges_since(self) -> str:
        """Time when the present artifact began to judge. Every change has a row."""
        rows = self._record.of_kind("artifact", detector=self.name, limit=1)
        return rows[0].time if rows else ""

    def _work_on(self, run: Run, asked: Asked, since: str) -> None:
        reason = None
        try:
            self._clear()
            self._work = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._folder))
            self._update(run, asked, since, self._work)
        except FlawspotError as error:
            reason = str(error)
        except OSError as error:
            reason = f"cannot work in {self._folder}: {error.strerror or error}; free some space"
        except Exception as error:  # a bug of ours; the line goes on
            reason = f"flawspot failed on it ({type(error).__name__}: {str(error)[:200]})"
        if reason is not None:
            self._clear()
            self._fail(run, reason)

    def _update(self, run: Run, asked: Asked, since: str, work: Path) -> None:
        state = self._swap.state
        if state is None:
            raise FlawspotError("the state of the artifact is missing: restore it, and ask again")
        photographs, output = work / "pictures", work / "new.onnx"
        chosen = choose(self._record, self._pictures, self.name, since, asked, photographs, self._closing)
        run.pictures = chosen.counts()
        content = {"artifact": run.artifact, "by": run.by, "since": since, "sample": asked.sample, "seed": asked.seed}
        self._add("began", content | {"pictures": run.pictures, "results": list(chosen.results)})
        artifact = self._swap.folder / f"{run.artifact}.onnx"
        if hashlib.sha256(artifact.read_bytes()).hexdigest() != run.artifact:
            raise FlawspotError(f"{artifact} is not the file that judges: restore the one with that SHA-256")
        given = {"artifact": artifact, "state": state, "photographs": photographs, "output": output}
        run.report = self._made({key: str(path) for key, path in given.items()} | {"seed": asked.seed}, run, work)
        shutil.rmtree(photographs, ignore_errors=True)
        if not run.report["learned"] + run.report["held_out"]:
            known = counted(run.report["known"], "picture")
            raise DataError(f"nothing is new: the detector knows the {known}, and is not changed; ask again later")
        made = output.read_bytes()
        run.candidate = hashlib.sha256(made).hexdigest()
        self._add("made", {"artifact": run.artifact, "candidate": run.candidate, "by": run.by, "report": run.report})
        self._swap.begin(made, run.by, update_of=run.artifact, state=beside(output))
        run.time = now()
        run.state = "made"
        self._told(KIND, asdict(run))

    def _made(self, given: dict[str, Any], run: Run, work: Path) -> dict[str, Any]:
        """The report of the process that made the update."""
        with self._lock:
            if self._closing.is_set():
                raise FlawspotError("the station was ended")
            process = self._process = Process(given, work, self._bounds)
        try:
            for line in process.lines():
                if "error" in line:
                    raise FlawspotError(str(line["error"]))
                if "report" in line:
                    report: dict[str, Any] = line["report"]
                    return report
                run.step, run.done, run.of = line["step"], line["done"], line["of"]
        except FlawspotError as error:
            raise FlawspotError("the station was ended" if self._closing.is_set() else str(error)) from error
        finally:
            process.end()
            self._process = None
        raise FlawspotError("its process ended without a report: ask again")

    def _fail(self, run: Run, reason: str) -> None:
        with contextlib.suppress(FlawspotError):  # the next result will report it
            self._add("failed", {"artifact": run.artifact, "by": run.by, "reason": reason})
        run.reason, run.time = reason, now()
        run.state = "failed"  # set last, for those who wait for it
        self._told(KIND, asdict(run))

    def _add(self, event: str, content: dict[str, Any]) -> None:
        self._record.add(KIND, {"detector": self.name, "event": event, **content})

    def _recorded(self) -> Run | None:
        """The last update according to the record."""
        run: Run | None = None
        for row in reversed(self._record.of_kind(KIND, detector=self.name, limit=3)):
            content = row.content
            state = {"began": "running"}.get(content["event"], content["event"])
            if run is None or run.state != "running":
                run = Run(state, content["by"], content["artifact"], row.time)
            run.state, run.time = state, row.time
            if state == "running":
                run.since, run.pictures = content["since"], content["pictures"]
            run.report, run.candidate = content.get("report"), content.get("candidate")
            run.reason = content.get("reason")
        return run

    def _decided(self, run: Run) -> bool:
        """Whether a person has approved the result of an update or turned it down."""
        kinds = ("artifact", "candidate")
        rows = [row for kind in kinds for row in self._record.of_kind(kind, detector=self.name, limit=1000)]
        return any(row.content["artifact"] == run.candidate and row.time >= run.time for row in rows)

    def _clear(self) -> None:
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None


def remove_left(folder: Path) -> None:
    """Remove files left by updates of a station that was killed. This station has the folder alone."""
    for path in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
