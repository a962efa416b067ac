"""How long work tells of itself, without knowing who listens.

Library code takes a `Progress`, by default `SILENT`. The public functions take ``progress: Progress | bool`` and turn
it into a `Progress` with `as_progress`; the display that True stands for lies in `flawspot.progress.display` and is
imported only then. Work is reported by the thread that does it: threads that read ahead report nothing.
"""

from collections.abc import Iterable, Iterator, Sized
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

from flawspot.errors import ConfigurationError
from flawspot.texts import shortened

T = TypeVar("T")


class Progress(Protocol):
    """What long work reports to."""

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Yield `items` one by one, showing how many of `total` (by default their number) are done."""
        ...

    def step(self, description: str) -> AbstractContextManager[None]:
        """Show that one step without a count is under way, for the length of a ``with`` block."""
        ...

    def note(self, message: str) -> None:
        """Say one line that the user should see, such as a warning."""
        ...


class Silent:
    """A `Progress` that says nothing."""

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        yield from items

    def step(self, description: str) -> AbstractContextManager[None]:
        return nullcontext()

    def note(self, message: str) -> None:
        return None


SILENT = Silent()


def as_progress(progress: Progress | bool) -> Progress:
    """What a public function's ``progress`` stands for.

    Args:
        progress: True for a bar on a terminal and in notebooks, and a line every few seconds elsewhere, on standard
            error; False for silence; a `Progress` for itself.

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
    """The number of items where it is known beforehand, else None."""
    return len(items) if isinstance(items, Sized) else None


def duration(seconds: float) -> str:
    """A time as people say it: ``35 s``, ``12 min``, ``1.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
