"""Progress of a benchmark on standard error: a live line on a terminal, otherwise a line for each finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from flawspot.cli.console import err, note, styled
from flawspot.progress import duration
from flawspot.progress.display import DISPLAY

if TYPE_CHECKING:
    from flawspot.benchmark.engines.board import Counts
    from flawspot.benchmark.record import Record


class LiveProgress:
    """A `flawspot.benchmark.engines.board.Listener`."""

    def __init__(self) -> None:
        self._context = DISPLAY.line()

    def __enter__(self) -> Self:
        self._line = self._context.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(None, None, None)

    def changed(self, counts: Counts) -> None:
        """Redraw the live line."""
        self._line.say(f"{said(counts)}, about {duration(counts.seconds_left)} to go")

    def ended(self, record: Record, counts: Counts) -> None:
        """Print a line for the run."""
        cell = record.cell
        what = f"{cell.data}/{cell.category} {cell.backbone} {cell.layers} {cell.label}"
        what += f", {cell.variation}" if cell.variation else ""
        if record.error is None:
            f1, auroc = record.metrics.get("pixel_f1_max"), record.metrics.get("image_auroc")
            figures = [f"pixel F1 {f1:.3f}"] if f1 is not None else []
            figures += [f"image AUROC {auroc:.3f}"] if auroc is not None else []
            err.print(f"{what}: {', '.join(figures) or 'done'} in {duration(record.measured.get('run_seconds', 0.0))}")
        else:
            err.print(f"{what}:", styled(f"{record.status}:", "red"), record.error)
        if not err.is_terminal:
            err.print(f"  {said(counts)}, about {duration(counts.seconds_left)} to go")

    def note(self, message: str) -> None:
        """Print a line above the live one."""
        note(message)


def said(counts: Counts) -> str:
    """The counts in a few words."""
    parts = [f"{counts.done + counts.done_before} done"]
    failed = counts.failed + counts.failed_before
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{counts.missing} missing"] if counts.missing else []
    parts += [f"{counts.elsewhere} elsewhere"] if counts.elsewhere else []
    return ", ".join([*parts, f"{counts.running} running", f"{counts.left} left"])
