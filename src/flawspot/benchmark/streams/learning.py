"""The learning at each step of a stream: nothing, an update, or training anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flawspot.benchmark.one_run import train_cell
from flawspot.benchmark.streams.photographs import together
from flawspot.benchmark.streams.stream import ANEW, budget
from flawspot.benchmark.task import Task
from flawspot.errors import TrainingError
from flawspot.progress import SILENT
from flawspot.runtime.artifact import Artifact
from flawspot.runtime.state import beside
from flawspot.updating import update


@dataclass(frozen=True)
class Learned:
    """A detector after a step.

    Attributes:
        artifact: the detector.
        changed: whether this step made it.
        artifact_bytes: bytes of its file.
        state_bytes: bytes of its state's file; 0 without a state.
        kept_bytes: bytes that must be kept for the next step besides the artifact: the state, or all good photographs
            so far.
    """

    artifact: Artifact
    changed: bool
    artifact_bytes: int
    state_bytes: int
    kept_bytes: int


class Learner:
    """Learns step by step by the strategy of a run."""

    def __init__(self, task: Task, strategy: str, folder: Path) -> None:
        """Args: `folder` is for artifacts and states during the run."""
        self._task, self._strategy, self._folder = task, strategy, folder
        self._so_far: list[Path] = []
        self._last: tuple[Artifact, Path] | None = None

    def learn(self, new: Sequence[Path]) -> Learned:
        """Apply the strategy to the good photographs of the next step.

        Raises:
            FlawspotError: learning failed.
        """
        self._so_far += new
        megabytes, last = budget(self._strategy), self._last
        changed = last is None or megabytes is not None or self._strategy == ANEW
        if changed:
            output = self._folder / f"{len(self._so_far)}.onnx"
            if last is not None and megabytes is not None:
                self._last = self._updated(last[1], new, output), output
            else:
                # No features are kept between steps, so that times are those that a user would have.
                self._last = train_cell(self._task, together(self._so_far), output, state=megabytes), output
        assert self._last is not None  # one of the above has set it
        artifact, path = self._last
        state = beside(path).stat().st_size if megabytes is not None else 0
        kept = sum(each.stat().st_size for each in self._so_far) if self._strategy == ANEW else state
        return Learned(artifact, changed, path.stat().st_size, state, kept)

    def _updated(self, old: Path, new: Sequence[Path], output: Path) -> Artifact:
        seed = self._task.cell.seed
        done = update(old, together(new), output=output, group="none", seed=seed, strict=True, progress=SILENT)
        if not output.exists():
            raise TrainingError("nothing of a step of the stream is new: its photographs are those of an earlier one")
        return done.artifact
