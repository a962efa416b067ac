"""How long work tells of itself, without knowing who listens.

Library code takes a `Progress`; the command line passes one that draws bars (`flawspot.cli.console`), everyone else
gets `SILENT`.
"""

from collections.abc import Iterable, Iterator, Sized
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

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
    """What a public function was given as its progress: True for the display, False for silence, or one of your own."""
    return SILENT if isinstance(progress, bool) else progress


def length_of(items: Iterable[object]) -> int | None:
    """The number of items where it is known beforehand, else None."""
    return len(items) if isinstance(items, Sized) else None
