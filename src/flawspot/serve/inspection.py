"""One working detector: a bounded queue of parts, and one thread that inspects them and writes a row for each."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import queue
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.errors import FlawspotError, FlawspotWarning, ImageError
from flawspot.files import special_kind
from flawspot.runtime.decoding import MAX_FILE_BYTES
from flawspot.runtime.detector import Detector
from flawspot.runtime.prediction import Prediction
from flawspot.runtime.reduced import Decoded
from flawspot.serve.chain import Row
from flawspot.serve.keeping import Pictures
from flawspot.serve.parts import NOT_INSPECTED, Outcome, Part
from flawspot.serve.record import Record, RecordError
from flawspot.texts import visible

_POLL = 0.2


@dataclass(frozen=True)
class Loaded:
    """A detector and the file that it was loaded from.

    Attributes:
        sha256: SHA-256 of the artifact's file.
        path: path of that file.
    """

    detector: Detector
    sha256: str
    path: Path


@dataclass
class Tally:
    """What one detector has done since the station started. Other threads read it."""

    judged: int = 0
    not_inspected: int = 0
    unrecorded: int = 0
    refused: int = 0
    dropped: int = 0


class Inspection:
    """One working detector with its queue and thread.

    Attributes:
        name: the detector's name for people and programs.
        loaded: the detector that judges now.
        tally: the counts.
    """

    def __init__(
        self,
        name: str,
        loaded: Loaded,
        record: Record,
        pictures: Pictures,
        told: Callable[[Outcome], None],
        *,
        waiting: int = 16,
    ) -> None:
        """`told` is called with each outcome, in the inspecting thread. `waiting` limits the queue."""
        self.name, self.loaded, self.tally = name, loaded, Tally()
        self._record, self._pictures, self._told = record, pictures, told
        self._queue: queue.Queue[Part] = queue.Queue(maxsize=waiting)
        self._fewer = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"inspection {name}", daemon=True)

    def start(self) -> None:
        """Begin to inspect."""
        self._thread.start()

    def offer(self, part: Part) -> bool:
        """Put a part at the end of the queue. False if the queue is full or closed; the caller then counts it."""
        with contextlib.suppress(queue.Full):
            if not self._closing.is_set():
                self._queue.put_nowait(part)
                return True
        return False

    def put(self, part: Part) -> bool:
        """Put a part that can wait at the end of the queue, when there is room. False if the station ends first.

        A quarter of the queue stays free for parts that cannot wait (`offer`), whatever backlog a folder has.
        """
        room = max(1, self._queue.maxsize * 3 // 4)
        while not self._closing.is_set():
            with self._fewer:
                has_room = self._fewer.wait_for(lambda: self._queue.qsize() < room, timeout=_POLL)
            if has_room and self.offer(part):
                return True
        return False

    @property
    def waiting(self) -> int:
        """How many parts are in the queue."""
        return self._queue.qsize()

    def switch(self, loaded: Loaded) -> None:
        """Judge with another artifact from the next part on. The current part is finished with the present one."""
        self.loaded = loaded

    def close(self, seconds: float = 30.0) -> None:
        """Accept no more parts, inspect the waiting ones, and end. Parts left after `seconds` are counted."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        with contextlib.suppress(queue.Empty):
            while True:
                # The files of these parts are still in their folder, and are inspected when the station starts again.
                self.tally.dropped += self._queue.get_nowait().origin != "watch"

    def _work(self) -> None:
        while True:
            try:
                part = self._queue.get(timeout=_POLL)
            except queue.Empty:
                if self._closing.is_set():
                    return
                continue
            with self._fewer:
                self._fewer.notify_all()
            last = self._record.last
            try:
                outcome = self._known(part) or self._inspect(part)
            except Exception as error:  # an unexpected disk error or a bug of ours must not stop the line
                outcome = self._failed(part, error)
            part.outcome.set_result(outcome)
            if outcome.row is None or last is None or outcome.row.number > last.number:  # not counted twice
                try:
                    self._told(outcome)
                except Exception as error:  # a bug of ours there must not end the inspection
                    text = f"after part {part.name}: {type(error).__name__}: {error}"
                    warnings.warn(text, FlawspotWarning, stacklevel=2)

    def _known(self, part: Part) -> Outcome | None:
        """The earlier outcome of this very item, so that it is not judged twice."""
        try:
            row = None if part.item is None else self._record.of_item(part.item)
        except RecordError:
            return None  # writing to the record will report it
        if row is None:
            return None
        content = row.content
        if isinstance(part.source, bytes) and content["picture"] != hashlib.sha256(part.source).hexdigest():
            # Otherwise a defective part could get the verdict of a good one with the same key.
            told = f"row {row.number} is of another picture with the same Idempotency-Key: give each part its own"
            return self._inspect(replace(part, source=ImageError(told), item=None))
        return Outcome(content, row)

    def _inspect(self, part: Part) -> Outcome:
        loaded, begin = self.loaded, time.monotonic()
        judged = judge(loaded.detector, part)
        content = judged.content
        content |= {"detector": self.name, "artifact": loaded.sha256}
        milliseconds = {"waited": begin - part.arrived, "judged": time.monotonic() - begin}
        content["milliseconds"] = {name: round(seconds * 1e3, 1) for name, seconds in milliseconds.items()}
        if judged.encoded is not None:
            picture = str(content["picture"])
            kept = self._pictures.keeping.keeps(picture, str(content["verdict"]))
            try:
                self._pictures.save(picture, judged.encoded, lasting=kept)
                content["kept"] = kept
            except (FlawspotError, OSError) as error:
                _fail(content, f"its picture cannot be kept: {error}")
        row = self._recorded(content)
        return Outcome(content, row, judged.map if part.wants_map else None, judged.photograph)

    def _failed(self, part: Part, error: Exception) -> Outcome:
        content = judge(self.loaded.detector, replace(part, source=ImageError(_named(error)))).content
        content |= {"detector": self.name, "artifact": self.loaded.sha256}
        content["milliseconds"] = {"waited": 0.0, "judged": 0.0}
        return Outcome(content, self._recorded(content))

    def _recorded(self, content: dict[str, Any]) -> Row | None:
        row = None
        try:
            if self.tally.unrecorded:
                lost = {"event": "not recorded", "detector": self.name, "parts": self.tally.unrecorded}
                self._record.add("station", lost)
                self.tally.unrecorded = 0
            row = self._record.add("result", content)
        except Exception as error:
            self.tally.unrecorded += 1
            _fail(content, str(error) if isinstance(error, RecordError) else _named(error))
        self.tally.judged += 1
        self.tally.not_inspected += content["verdict"] == NOT_INSPECTED
        if row is not None:
            try:
                self._pictures.judged(row)
            except (FlawspotError, OSError) as error:
                warnings.warn(str(error), FlawspotWarning, stacklevel=2)
        return row


@dataclass
class Judged:
    """The judgement of a part.

    Attributes:
        content: the body of its row.
        encoded: the bytes of its picture; None if there is none.
        map: its anomaly map, if there is a verdict.
        photograph: its pixels, if there is a verdict.
    """

    content: dict[str, Any]
    encoded: bytes | None = None
    map: NDArray[np.float32] | None = None
    photograph: Decoded | None = None


def judge(detector: Detector, part: Part) -> Judged:
    """Judge a part with a detector.

    Any error, even a bug of ours, makes the part ``not inspected``.
    """
    content: dict[str, Any] = {
        "part": part.part,
        "station": part.station,
        "origin": part.origin,
        "name": visible(part.name),
        "item": part.item,
        "picture": None,
        "kept": False,
    }
    judged = Judged(content)
    try:
        source = part.source
        if isinstance(source, ImageError):
            raise source
        judged.encoded = _bytes_of(source)
        content["picture"] = hashlib.sha256(judged.encoded).hexdigest()
        photograph = detector.read(judged.encoded if isinstance(source, Path) else source)
        found = detector.predict(photograph, keep_image=False)
        content |= told(found)
        judged.map, judged.photograph = found.map, photograph
    except FlawspotError as error:
        _fail(content, str(error).removeprefix("not inspected: "))
    except Exception as error:
        _fail(content, _named(error))
    return judged


def told(found: Prediction) -> dict[str, Any]:
    """The contents of a prediction, without the path."""
    said = found.to_dict()
    names = ("score", "threshold", "severity", "p_value", "regions", "image_size", "inspected_share")
    if not math.isfinite(found.score):
        raise ImageError("its score is not a finite number")
    return {"verdict": said["verdict"], "reason": None} | {name: said[name] for name in names}


def _bytes_of(source: Any) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, Path):
        try:
            kind = special_kind(source)
            if kind is not None:  # a pipe would block the line
                raise ImageError(f"cannot read {source}: it is {kind}")
            size = source.stat().st_size
            if size > MAX_FILE_BYTES:
                raise ImageError(f"cannot read {source}: it has {size} bytes, more than {MAX_FILE_BYTES}")
            return source.read_bytes()
        except OSError as error:
            raise ImageError(f"cannot read {source}: {error.strerror or error}") from error
    # The pixels of a camera are stored losslessly, so that the kept picture is what was judged.
    file = io.BytesIO()
    Image.fromarray(source).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _named(error: Exception) -> str:
    return visible(f"flawspot failed on it ({type(error).__name__}: {str(error)[:200]})")


def _fail(content: dict[str, Any], reason: str) -> None:
    content |= {"verdict": NOT_INSPECTED, "reason": reason, "score": None, "severity": None, "p_value": None}
    content |= {"regions": [], "threshold": content.get("threshold")}
