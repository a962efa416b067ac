"""A growing folder as a source of parts. It needs the extra ``flawspot[serve]``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path

from flawspot.errors import ConfigurationError, FlawspotError, ImageError
from flawspot.extras import require
from flawspot.files import is_folder
from flawspot.runtime.feed import state_of
from flawspot.runtime.listing import (
    IMAGE_SUFFIXES,
    UNFINISHED_SUFFIXES,
    is_photograph_place,
    list_files,
    natural_key,
    unread_reason,
)
from flawspot.runtime.marks import is_marked
from flawspot.serve.inspection import Inspection
from flawspot.serve.parts import Outcome, Part
from flawspot.serve.sources import Source
from flawspot.texts import visible

STILL_SECONDS = 0.06
"""Seconds without a change after which a complete file is taken."""
PATIENT_SECONDS = 3.0
"""Seconds without a change after which an empty or incomplete file is taken, as a copy over a network may pause. If it
is still incomplete, it is not inspected, but it is inspected once more was written to it."""
_ENDS = {b"\x89PNG": b"IEND\xaeB`\x82", b"\xff\xd8\xff": b"\xff\xd9"}
"""For each beginning of a file, the end that a complete one has. Files of other kinds count as complete."""
_END_BYTES = 4096
"""Bytes searched for the end, as some cameras append some."""
LOOK_SECONDS = 5.0
"""Least seconds between two looks at the whole folder. They are needed because network drives do not report new
files."""
_LOOK_SHARE = 0.05
"""Largest share of the time that such looks may take."""
_AGAIN_SECONDS = 1.0


class FolderSource(Source):
    """The photographs in a folder, and those that come into it.

    Files without a result are inspected, so nothing is lost while the station is down. Files with a result are not
    inspected again, unless they were rewritten. Nothing is dropped: files wait in their folder. Links to places outside
    the folder are not inspected. If the folder disappears, as a network drive may, the source waits for it to come
    back.
    """

    def __init__(self, folder: Path, inspection: Inspection, known: Callable[[str], bool]) -> None:
        """`known` tells whether an item already has a result.

        Raises:
            ConfigurationError: there is no such folder.
            MissingPackageError: watchfiles is not installed.
        """
        if not is_folder(folder):
            raise ConfigurationError(f"there is no folder {folder} to watch: make it, or give another")
        require("watchfiles", "watching a folder")
        super().__init__(str(folder), "folder", inspection)
        self.folder, self._known = folder.resolve(), known
        # Stored as hashes of path and state, as a line may fill a folder with a hundred thousand files.
        self._taken: set[int] = set()
        self._pending: dict[Path, tuple[tuple[int, int] | None, float]] = {}
        self._unrecorded: list[int] = []  # hashes of files that the record could not take

    def work(self) -> None:
        """See `Source`."""
        while not self._stop.is_set():
            try:
                self._watch()
            except (FlawspotError, OSError) as error:
                self._lost(error)
            except RuntimeError:
                # watchfiles stops at names that are not valid text, and if the system has no more watches. Then the
                # whole folder is listed, and watched again.
                pass
            self._stop.wait(_AGAIN_SECONDS)

    def _watch(self) -> None:
        from watchfiles import watch

        self._check()
        due = 0.0
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
            self._check()
            self.state.trouble = None
            paths = [Path(name) for _, name in changed]
            self._note(path for path in paths if is_photograph_place(path.relative_to(self.folder)))
            begin = time.monotonic()
            if begin >= due or any(path.is_dir() for path in paths):
                self._take_again()
                listing = list_files(self.folder)
                self._note(listing.images)
                self._note(listing.unread)
                end = time.monotonic()
                due = end + max(LOOK_SECONDS, (end - begin) / _LOOK_SHARE)
            self._take()

    def _check(self) -> None:
        if not is_folder(self.folder):
            raise ImageError(f"the watched folder {self.folder} is gone")

    def _note(self, paths: Iterable[Path]) -> None:
        """Check these files until they are complete."""
        now, new = time.monotonic(), []
        for path in paths:
            if path.suffix.lower() not in UNFINISHED_SUFFIXES and path not in self._pending:
                state = state_of(path)
                if state is not None and hash((path, state)) not in self._taken and not path.is_dir():
                    new.append((state[1], natural_key(path), path, state))
        for _, _, path, state in sorted(new, key=lambda each: each[:2]):  # in the order in which they were written
            self._pending[path] = (state, now)

    def _take(self) -> None:
        """Bring the pending files that are complete."""
        for path, (before, since) in sorted(self._pending.items(), key=lambda item: item[1][1]):
            state, now = state_of(path), time.monotonic()
            if state is None:
                del self._pending[path]
            elif state != before:
                self._pending[path] = (state, now)
            elif now - since >= PATIENT_SECONDS or (now - since >= STILL_SECONDS and _has_its_end(path, state[0])):
                if not self._bring(path, state):
                    return
                del self._pending[path]  # only now, because the record may fail to answer
                self._taken.add(hash((path, state)))

    def _take_again(self) -> None:
        """Bring files again that the record could not take, once it can. Until then only one of them is tried."""
        again = self._unrecorded[: 1 if self.inspection.tally.unrecorded else None]
        del self._unrecorded[: len(again)]
        self._taken.difference_update(again)

    def _bring(self, path: Path, state: tuple[int, int]) -> bool:
        """Bring one file. False if the station ends first; it is then brought after the next start."""
        relative = visible(path.relative_to(self.folder).as_posix())
        # With the folder, because cameras use the same names, and sizes and times may be equal too.
        place = visible(self.folder.as_posix())
        item = f"watch:{self.inspection.name}:{place}/{relative}:{state[0]}:{state[1]}"
        is_image = path.suffix.lower() in IMAGE_SUFFIXES
        if self._known(item) or (is_image and is_marked(path)):
            return True
        source: Path | ImageError = path if is_image else ImageError(unread_reason(path))
        if not path.resolve().is_relative_to(self.folder):
            # Otherwise anyone who may write here could see any file that the station may read, as a kept picture.
            source = ImageError(f"{path} leads out of the watched folder: watch the folder that it is in")
        self.state.pictures += 1
        self.state.heard = time.monotonic()
        part = Part(source, relative, "watch", item=item)

        def note(outcome: Future[Outcome]) -> None:
            if outcome.result().row is None:
                self._unrecorded.append(hash((path, state)))

        part.outcome.add_done_callback(note)
        return self.inspection.put(part)


def _has_its_end(path: Path, size: int) -> bool:
    """Whether the end of a file is there, as far as a quick look can tell."""
    if not size:
        return False
    try:
        with path.open("rb") as file:
            beginning = file.read(4)
            end = next((end for begin, end in _ENDS.items() if beginning.startswith(begin)), None)
            if end is None:
                return True
            file.seek(max(size - _END_BYTES, 0))
            return end in file.read()
    except OSError:
        return True  # reading the file will report it
