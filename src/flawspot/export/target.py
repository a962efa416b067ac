"""A target of ``flawspot export``: files that are written from an artifact, and something here that runs them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from flawspot.export.gate import Bounds, Translation
from flawspot.export.source import Source
from flawspot.progress import Progress


@dataclass(frozen=True)
class Written:
    """What a target has written, in memory as yet.

    Attributes:
        files: by path, the report left out.
        parts: bytes, by part.
        code: bytes of machine code on this machine's processor; None where there is none, or that is not known.
        arena, arena_bound: bytes of memory that it works in; and what no plan for this order of operations goes below.
            None where the target has none, or that is not known.
    """

    files: Mapping[Path, bytes]
    parts: Mapping[str, int]
    code: int | None = None
    arena: int | None = None
    arena_bound: int | None = None


class Target(Protocol):
    """A format that artifacts are translated to.

    Attributes:
        name: that ``--to`` takes.
        about: what is written, in a few words.
        from_form: whether it is written from the intermediate form, which not every detector has.
        own_integers: whether its arithmetic of whole numbers is its own, so that an int8 detector's may differ by a
            step; else its maps must equal the artifact's, whatever the precision.
        bounds: of what may differ then: those of `gate.Bounds` unless there is a reason for others.
    """

    name: str
    about: str
    from_form: bool
    own_integers: bool
    bounds: Bounds

    def check_path(self, path: Path) -> tuple[Path, ...]:
        """The files that will be written beside the report, so that what cannot be written is told at once.

        Raises:
            ConfigurationError: a name that no such file should have; says what is right.
        """
        ...

    def write(self, source: Source, path: Path) -> Written:
        """Translate.

        Raises:
            ExportError: it has no such form; says what is in the way.
        """
        ...

    def runs_here(self) -> str | None:
        """What runs a translation here to compare it, in words for the report; None where nothing does."""
        ...

    @property
    def missing(self) -> str:
        """What to do where `runs_here` is None, in one line: "there is no ... here to compare ... with: ..."."""
        ...

    def at_work(self, source: Source, written: Written) -> AbstractContextManager[Translation]:
        """A translation that is run, and gone with its files afterwards.

        Raises:
            ExportError: it cannot be run.
        """
        ...

    def measured(self, source: Source, written: Written) -> Written:
        """With what is only known where it runs: bytes of code, say."""
        ...


@runtime_checkable
class BringsRuntime(Protocol):
    """A target whose files hold a runtime of others, which is given or fetched."""

    def with_runtime(self, path: Path | None, progress: Progress) -> Target:
        """The target with its runtime at hand.

        Args:
            path: where it is; None for the cache, or what is fetched into it.
            progress: is told of what is fetched.

        Raises:
            ExportError: it cannot be had, or is not what it should be.
        """
        ...
