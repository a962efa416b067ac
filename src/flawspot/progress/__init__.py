"""How long-running code reports its progress, without knowing how it is shown.

Library code takes a `Progress`, by default `SILENT`. The public functions take ``progress: Progress | bool`` and
convert it with `as_progress`. The display for True is in `flawspot.progress.display` and is imported only then. Only
the thread that does the work reports it: threads that read ahead report nothing.
"""

from collections.abc import Iterable, Iterator, Sized
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

from flawspot.errors import ConfigurationError
from flawspot.texts import shortened

T = TypeVar("T")


class Progress(Protocol):
    """Receives the progress of long work."""

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Yield `items` one by one, showing how many of `total` (by default their number) are done."""
        ...

    def step(self, description: str) -> AbstractContextManager[None]:
        """Show a step without a count, for the length of a ``with`` block."""
        ...

    def note(self, message: str) -> None:
        """Show one line that the user should see, such as a warning."""
        ...


class Silent:
    """A `Progress` that shows nothing."""

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        yield from items

    def step(self, description: str) -> AbstractContextManager[None]:
        return nullcontext()

    def note(self, message: str) -> None:
        return None


SILENT = Silent()


def as_progress(progress: Progress | bool) -> Progress:
    """Convert a public function's ``progress`` to a `Progress`.

    Args:
        progress: True for a bar on a terminal and in notebooks, and for a line every few seconds elsewhere, on standard
            error; False for silence; or a `Progress`.

    Raises:
        ConfigurationError: it is something else.
    """
    if progress is True:
        from flawspot.progress.display import DISPLAY

        return DISPLAY
    if progress is False:
        return SILENT
    if isinstance(progress, type) or not all(
        callable(getattr(progress, name, None)) for name in ("track", "step", "note")
    ):
        raise ConfigurationError(
            f"progress must be True, False or an object with track, step and note, not {shortened(repr(progress))}"
        )
    return progress


def length_of(items: Iterable[object]) -> int | None:
    """The number of items if it is known in advance, else None."""
    return len(items) if isinstance(items, Sized) else None


def duration(seconds: float) -> str:
    """A duration for people: ``35 s``, ``12 min``, ``1.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
