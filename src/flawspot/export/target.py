"""The interface of a target of ``flawspot export``: it writes files from an artifact, and runs them if possible."""

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
    """The output of a target, still in memory.

    Attributes:
        files: the files by path, without the report.
        parts: bytes of each part.
        code: bytes of machine code on this machine's processor; None if there is none, or it is unknown.
        arena, arena_bound: bytes of working memory, and a lower bound for this order of operations. None if the target
            has none, or it is unknown.
    """

    files: Mapping[Path, bytes]
    parts: Mapping[str, int]
    code: int | None = None
    arena: int | None = None
    arena_bound: int | None = None


class Target(Protocol):
    """A format that artifacts are translated to.

    Attributes:
        name: name for ``--to``.
        about: a short description of the output.
        from_form: whether it uses the intermediate form, which not every detector has.
        own_integers: whether it computes integers by its own rules, so that an int8 detector's may differ by a step.
            Otherwise its maps must equal the artifact's, whatever the precision.
        bounds: the allowed differences in that case: those of `gate.Bounds`, unless there is a reason for others.
    """

    name: str
    about: str
    from_form: bool
    own_integers: bool
    bounds: Bounds

    def check_path(self, path: Path) -> tuple[Path, ...]:
        """The files that will be written beside the report, so that unwritable ones are reported at once.

        Raises:
            ConfigurationError: the name does not suit such a file; the message says what does.
        """
        ...

    def write(self, source: Source, path: Path) -> Written:
        """Translate.

        Raises:
            ExportError: the detector has no such form; the message says why.
        """
        ...

    def runs_here(self) -> str | None:
        """What runs a translation here to compare it, as text for the report; None if nothing does."""
        ...

    @property
    def missing(self) -> str:
        """What to do if `runs_here` is None, in one line: "there is no ... here to compare ... with: ..."."""
        ...

    def at_work(self, source: Source, written: Written) -> AbstractContextManager[Translation]:
        """A running translation. Its files are removed afterwards.

        Raises:
            ExportError: it cannot be run.
        """
        ...

    def measured(self, source: Source, written: Written) -> Written:
        """Add facts that are only known where it runs, such as bytes of code."""
        ...


@runtime_checkable
class BringsRuntime(Protocol):
    """A target whose files include a third-party runtime, which is given or fetched."""

    def with_runtime(self, path: Path | None, progress: Progress) -> Target:
        """The target with its runtime.

        Args:
            path: place of the runtime; None for the cache, or fetched into it.
            progress: told of the fetching.

        Raises:
            ExportError: the runtime is not available, or not the expected one.
        """
        ...
