"""Where parts come from by themselves: a folder that grows, a camera, a film. Each is a thread."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flawspot.errors import ConfigurationError, FlawspotError, ImageError
from flawspot.extras import require
from flawspot.files import is_folder
from flawspot.runtime.feed import Shot, arrived, state_of
from flawspot.runtime.listing import IMAGE_SUFFIXES, unread_reason
from flawspot.runtime.video import frames, is_live
from flawspot.serve.inspection import Inspection
from flawspot.serve.parts import Part

STILL_SECONDS = 0.06
"""A file is taken when it has not changed for so long."""
LOOK_SECONDS = 5.0
"""Between two looks at a whole folder: network drives tell of no new files."""
_AGAIN_SECONDS = (1.0, 30.0)
"""Before a camera is opened again: at first, and at most."""


@dataclass
class SourceState:
    """For people; read by other threads.

    Attributes:
        name: as it was given.
        kind: ``folder``, ``camera`` or ``film``.
        pictures: that came so far.
        dropped: pictures of a camera that came while the queue was full.
        heard: when the last one came, on the clock of `time.monotonic`.
        trouble: what is wrong with it; None where nothing is.
        ended: whether a film is over.
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
        state: how it is.
        silent_seconds: after which a camera that gives no picture is told of; None for what may be silent.
    """

    silent_seconds: float | None = None

    def __init__(self, name: str, kind: str, inspection: Inspection) -> None:
        self.state = SourceState(name, kind, heard=time.monotonic())
        self.inspection = inspection
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"source {name}", daemon=True)

    def start(self) -> None:
        """Begin to bring parts."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; never waits."""
        self._stop.set()

    def close(self, seconds: float = 2.0) -> None:
        """End; what was brought is still inspected. A camera that hangs is left behind."""
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

    def _tell(self, error: FlawspotError) -> None:
        """What this source could not give is not inspected."""
        source = error if isinstance(error, ImageError) else ImageError(str(error))
        self.inspection.put(Part(source, self.state.name, "watch" if self.state.kind == "folder" else "camera"))

    def silent(self) -> None:
        """It has given no picture for too long: told once, until it gives one again."""
        if self.state.trouble is None:
            self.state.trouble = f"{self.state.name} has given no picture for {self.silent_seconds:g} seconds"
            self._tell(ImageError(self.state.trouble))

    def work(self) -> None:
        """Bring parts until `_stop` is set."""
        raise NotImplementedError


class FolderSource(Source):
    """The photographs in a folder and those that come into it.

    What lies there and has no result is inspected, so that nothing is lost while the station is down; what has one is
    not inspected again, unless it was written anew. Nothing is dropped: files wait in their folder.
    """

    def __init__(self, folder: Path, inspection: Inspection, known: Callable[[str], bool]) -> None:
        """`known` tells whether an item has a result.

        Raises:
            ConfigurationError: there is no such folder.
            MissingPackageError: watchfiles is not installed.
        """
        if not is_folder(folder):
            raise ConfigurationError(f"there is no folder {folder} to watch: make it, or give another")
        require("watchfiles", "watching a folder")
        super().__init__(str(folder), "folder", inspection)
        self.folder, self._known = folder, known
        self._taken: dict[Path, tuple[int, int]] = {}
        self._pending: dict[Path, tuple[tuple[int, int] | None, float]] = {}

    def work(self) -> None:
        """See `Source`."""
        from watchfiles import watch

        looked = 0.0
        changes = watch(
            self.folder,
            watch_filter=None,
            debounce=20,
            step=10,
            stop_event=self._stop,
            rust_timeout=50,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        for changed in changes:
            if not is_folder(self.folder):
                raise ImageError(f"the watched folder {self.folder} is gone")
            self.state.trouble = None
            now = time.monotonic()
            if changed or now - looked >= LOOK_SECONDS:
                looked = now
                for path in arrived(self.folder):
                    if path not in self._pending and state_of(path) != self._taken.get(path):
                        self._pending[path] = (None, now)
            self._take()

    def _take(self) -> None:
        """Bring what is pending and still."""
        for path, (before, since) in sorted(self._pending.items(), key=lambda item: item[1][1]):
            state, now = state_of(path), time.monotonic()
            if state is None or state == self._taken.get(path):
                del self._pending[path]
            elif state != before or state[0] == 0:
                self._pending[path] = (state, now)
            elif now - since >= STILL_SECONDS:
                del self._pending[path]
                self._taken[path] = state
                if not self._bring(path, state):
                    return

    def _bring(self, path: Path, state: tuple[int, int]) -> bool:
        relative = path.relative_to(self.folder).as_posix()
        item = f"watch:{self.inspection.name}:{relative}:{state[0]}:{state[1]}"
        if self._known(item):
            return True
        is_image = path.suffix.lower() in IMAGE_SUFFIXES
        source = path if is_image else ImageError(unread_reason(path))
        self.state.pictures += 1
        self.state.heard = time.monotonic()
        return self.inspection.put(Part(source, relative, "watch", item=item))


class CameraSource(Source):
    """The pictures of a camera, an address or a film.

    Of a camera a picture that comes while the queue is full is dropped and counted; a film waits. A camera that is lost
    is opened again and again.
    """

    def __init__(
        self, name: str, inspection: Inspection, *, every: int = 1, a_second: float | None = None, silent: float = 10.0
    ) -> None:
        """`every` n-th picture is taken, at most so many `a_second`.

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
            return  # a camera gives its pictures at its own pace: this one was not asked for
        self.state.heard = time.monotonic()
        part = Part(shot.source, shot.title, "camera")
        if self.state.kind == "film":
            self.inspection.put(part)
        elif not self.inspection.offer(part):
            self.state.dropped += 1
            self.inspection.tally.dropped += 1

    def _lost(self, error: FlawspotError) -> None:
        """Told once, until there is a picture again."""
        if self.state.trouble is None:
            self.state.trouble = str(error)
            self._tell(error)


class Parade(Source):
    """Photographs that pass in an order that looks like chance, again and again: a line to try a station on."""

    def __init__(self, photographs: Sequence[Path], inspection: Inspection, *, seconds: float, seed: int = 0) -> None:
        """`seconds` lie between two photographs.

        Raises:
            ConfigurationError: there are none.
        """
        if not photographs:
            raise ConfigurationError("no photographs are left of the demo: remove its folder and begin anew")
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
