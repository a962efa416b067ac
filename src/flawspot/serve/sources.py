"""Sources that bring parts by themselves: cameras and films here, folders in `flawspot.serve.watching`. Each is a
thread."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flawspot.errors import ConfigurationError, FlawspotError, ImageError
from flawspot.extras import require
from flawspot.runtime.feed import Shot
from flawspot.runtime.video import frames, is_live
from flawspot.serve.inspection import Inspection
from flawspot.serve.parts import Part

_AGAIN_SECONDS = (1.0, 30.0)
"""Seconds before a camera is opened again: the first time, and at most."""


@dataclass
class SourceState:
    """The state of a source, for people. Other threads read it.

    Attributes:
        name: name of the source as given.
        kind: ``folder``, ``camera`` or ``film``.
        pictures: number of pictures so far.
        dropped: number of camera pictures that came while the queue was full.
        heard: time of the last picture on the clock of `time.monotonic`.
        trouble: what is wrong with the source; None if nothing is.
        ended: whether a film has ended.
    """

    name: str
    kind: str
    pictures: int = 0
    dropped: int = 0
    heard: float = 0.0
    trouble: str | None = None
    ended: bool = False


class Source:
    """A thread that brings parts to one detector.

    Attributes:
        state: its state.
        silent_seconds: seconds without a picture after which a camera is reported; None for a source that may be
            silent.
    """

    silent_seconds: float | None = None

    def __init__(self, name: str, kind: str, inspection: Inspection) -> None:
        self.state = SourceState(name, kind, heard=time.monotonic())
        self.inspection = inspection
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"source {name}", daemon=True)

    def start(self) -> None:
        """Start to bring parts."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the source to end. Never waits."""
        self._stop.set()

    def close(self, seconds: float = 2.0) -> None:
        """End the source. Parts already brought are still inspected. A hanging camera is not waited for."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self.work()
        except FlawspotError as error:
            self.state.trouble = str(error)
            self._tell(error)
        except Exception as error:
            self.state.trouble = f"flawspot failed ({type(error).__name__}: {error})"
            self._tell(ImageError(self.state.trouble))

    def _lost(self, error: Exception) -> None:
        """Report the error once, until there is a picture again."""
        if self.state.trouble is None:
            self.state.trouble = str(error)
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Record a picture that this source could not give as not inspected."""
        source = error if isinstance(error, ImageError) else ImageError(str(error))
        self.inspection.put(Part(source, self.state.name, "watch" if self.state.kind == "folder" else "camera"))

    def silent(self) -> None:
        """Report once that it has given no picture for too long, until it gives one again."""
        if self.state.trouble is None:
            self.state.trouble = f"{self.state.name} has given no picture for {self.silent_seconds:g} seconds"
            self._tell(ImageError(self.state.trouble))

    def work(self) -> None:
        """Bring parts until `_stop` is set."""
        raise NotImplementedError


class CameraSource(Source):
    """The pictures of a camera, an address or a film.

    A camera picture that comes while the queue is full is dropped and counted; a film waits. A lost camera is reopened
    until it works again.
    """

    def __init__(
        self, name: str, inspection: Inspection, *, every: int = 1, a_second: float | None = None, silent: float = 10.0
    ) -> None:
        """Take every `every`-th picture, at most `a_second` per second.

        Raises:
            MissingPackageError: OpenCV is not installed.
        """
        require("cv2", "a camera or film")
        super().__init__(name, "camera" if is_live(name) else "film", inspection)
        self._every, self._pause = every, 0.0 if a_second is None else 1.0 / a_second
        self.silent_seconds = silent if is_live(name) else None

    def work(self) -> None:
        """See `Source`."""
        wait, longest = _AGAIN_SECONDS
        while not self._stop.is_set():
            pictures = self.state.pictures
            try:
                for shot in frames(self.state.name, self._every):
                    if self._stop.is_set():
                        return
                    self._bring(shot)
            except FlawspotError as error:
                if self.state.kind == "film":
                    raise
                self._lost(error)
            if self.state.kind == "film":
                self.state.ended = True
                return
            wait = _AGAIN_SECONDS[0] if self.state.pictures > pictures else min(wait * 2, longest)
            self._stop.wait(wait)

    def _bring(self, shot: Shot) -> None:
        if isinstance(shot.source, ImageError):
            self._lost(shot.source)
            return
        now = time.monotonic()
        self.state.trouble, self.state.pictures = None, self.state.pictures + 1
        due = self.state.heard + self._pause - now
        if self.state.kind == "film":
            self._stop.wait(max(due, 0.0))
        elif due > 0:
            return  # a camera sets its own pace, so nobody waits for this picture
        self.state.heard = time.monotonic()
        part = Part(shot.source, shot.title, "camera")
        if self.state.kind == "film":
            self.inspection.put(part)
        elif not self.inspection.offer(part):
            self.state.dropped += 1
            self.inspection.tally.dropped += 1


class Parade(Source):
    """Endlessly repeats photographs in a random-looking order, to try out a station."""

    def __init__(self, photographs: Sequence[Path], inspection: Inspection, *, seconds: float, seed: int = 0) -> None:
        """There are `seconds` between two photographs.

        Raises:
            ConfigurationError: there are no photographs.
        """
        if not photographs:
            raise ConfigurationError("the demo has no photographs any more: remove its folder and start again")
        super().__init__("demo line", "camera", inspection)
        self._photographs, self._seconds, self._random = list(photographs), seconds, random.Random(seed)

    def work(self) -> None:
        """See `Source`."""
        while True:
            self._random.shuffle(self._photographs)
            for path in self._photographs:
                if self._stop.wait(self._seconds):
                    return
                self.state.pictures += 1
                self.state.heard = time.monotonic()
                part = Part(path, f"{path.parent.name}/{path.name}", "camera", part=f"{self.state.pictures:05}")
                if not self.inspection.put(part):
                    return
