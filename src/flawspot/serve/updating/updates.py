"""The updates of one detector at the station: asked for by a person, made beside the line, and then a candidate.

Nothing judges otherwise for it: what an update comes to is tried and approved as any artifact that was sent.
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
"""Of rows of the record: each has an ``event``, ``began``, ``made`` or ``failed``."""
_PREFIX = ".update-"
_PATIENCE = 10.0


@dataclass
class Run:
    """An update that is under way, or the last one.

    Attributes:
        state: ``running``, ``made`` or ``failed``.
        by: who asked for it.
        artifact: the SHA-256 of the artifact that it goes on from.
        time: when it began, or ended.
        since: from when on results were looked at.
        step, done, of: what is under way, and how far where that is counted.
        pictures: how many were chosen and left out; see `flawspot.serve.updating.choosing.Chosen`.
        report: what has changed; see `flawspot.updating.Report`.
        candidate: the SHA-256 of the artifact that it came to.
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
        """How far it is, as a sentence; None where it is not under way."""
        if self.state != "running":
            return None
        return f"Under way: {self.step}" + (f", {self.done} of {self.of}." if self.of else ".")


class Updates:
    """See the module. Used by any threads."""

    def __init__(
        self,
        swap: Swapping,
        record: Record,
        pictures: Pictures,
        folder: Path,
        bounds: Bounds,
        told: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """`folder` is the station's; `told` hears of beginnings and ends."""
        self._swap, self._record, self._pictures, self._folder = swap, record, pictures, folder
        self._bounds, self._told = bounds, told
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._process: Process | None = None
        self._thread: threading.Thread | None = None
        self._work: Path | None = None
        self._run = self._recorded()

    @property
    def name(self) -> str:
        """Of the detector."""
        return self._swap.inspection.name

    def start(self) -> None:
        """Record the end of an update that ended with the station, however that came."""
        if self._run is not None and self._run.state == "running":
            self._fail(self._run, "the station ended before it was done: ask again")

    def close(self) -> None:
        """End an update that is under way, and leave nothing of it but its rows."""
        with self._lock:
            self._closing.set()
            process = self._process
        if process is not None:
            process.kill()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        self._clear()

    def as_dict(self) -> dict[str, Any]:
        """As the API gives it: the update under way or the last one, how ``far`` it is, why none can be asked for."""
        run, cannot = self._run, None
        try:
            self._check()
        except FlawspotError as error:
            cannot = str(error)
        told = {"state": "none", "far": None} if run is None else {**asdict(run), "far": run.far}
        return {**told, "cannot": cannot}

    def ask(self, asked: Asked) -> dict[str, Any]:
        """Begin an update in a thread and a process of its own.

        Raises:
            FlawspotError: one is under way, a candidate waits, there is no state, the method cannot be updated here, or
                the station takes signed artifacts only.
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
        """Raises what `ask` does."""
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
                "this station takes signed artifacts only, and an update that is made here is not signed: update it "
                "where the key is (flawspot update), and send it"
            )
        if updating_of(loaded.detector.manifest.method).needs_torch:
            require("torch", f"updating a detector of the method {loaded.detector.manifest.method}")
        if swap.state is None:
            raise FlawspotError(
                f"the state of the artifact {loaded.sha256[:12]} is not at the station: put the .state file that "
                f"`flawspot train --state` wrote with it at {beside(swap.folder / f'{loaded.sha256}.onnx')}"
            )

    def _judges_since(self) -> str:
        """When the present artifact began to judge; every change has a row."""
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
        except Exception as error:  # a fault of ours; the line goes on
            reason = f"flawspot failed on it ({type(error).__name__}: {str(error)[:200]})"
        if reason is not None:
            self._clear()
            self._fail(run, reason)

    def _update(self, run: Run, asked: Asked, since: str, work: Path) -> None:
        state = self._swap.state
        if state is None:
            raise FlawspotError("the state of the artifact is gone: put it back, and ask again")
        photographs, output = work / "pictures", work / "new.onnx"
        chosen = choose(self._record, self._pictures, self.name, since, asked, photographs, self._closing)
        run.pictures = chosen.counts()
        content = {"artifact": run.artifact, "by": run.by, "since": since, "sample": asked.sample, "seed": asked.seed}
        self._add("began", content | {"pictures": run.pictures, "results": list(chosen.results)})
        artifact = self._swap.folder / f"{run.artifact}.onnx"
        if hashlib.sha256(artifact.read_bytes()).hexdigest() != run.artifact:
            raise FlawspotError(f"{artifact} is another file than judges: put the one with that SHA-256 back")
        given = {"artifact": artifact, "state": state, "photographs": photographs, "output": output}
        run.report = self._made({key: str(path) for key, path in given.items()} | {"seed": asked.seed}, run, work)
        shutil.rmtree(photographs, ignore_errors=True)
        if not run.report["learned"] + run.report["held_out"]:
            known = counted(run.report["known"], "picture")
            raise DataError(f"nothing is new: the detector knows the {known}, and stays as it is; ask again later")
        made = output.read_bytes()
        run.candidate = hashlib.sha256(made).hexdigest()
        self._add("made", {"artifact": run.artifact, "candidate": run.candidate, "by": run.by, "report": run.report})
        self._swap.begin(made, run.by, update_of=run.artifact, state=beside(output))
        run.time = now()
        run.state = "made"
        self._told(KIND, asdict(run))

    def _made(self, given: dict[str, Any], run: Run, work: Path) -> dict[str, Any]:
        """The report of the process that makes the update."""
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
        raise FlawspotError("its process has told nothing: ask again")

    def _fail(self, run: Run, reason: str) -> None:
        with contextlib.suppress(FlawspotError):  # which the next result will tell of
            self._add("failed", {"artifact": run.artifact, "by": run.by, "reason": reason})
        run.reason, run.time = reason, now()
        run.state = "failed"  # the last, for whoever waits for it
        self._told(KIND, asdict(run))

    def _add(self, event: str, content: dict[str, Any]) -> None:
        self._record.add(KIND, {"detector": self.name, "event": event, **content})

    def _recorded(self) -> Run | None:
        """The last update, by the record."""
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

    def _clear(self) -> None:
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None


def remove_left(folder: Path) -> None:
    """Remove what updates of a station have left that was killed; it is alone in its folder."""
    for path in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
