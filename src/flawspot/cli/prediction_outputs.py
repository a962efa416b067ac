"""What ``flawspot predict`` prints and writes for each photograph."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from flawspot.cli.console import note, out, print_json, styled
from flawspot.cli.streams import OutputError
from flawspot.errors import FlawspotError
from flawspot.files import check_folder, check_writable, write_bytes
from flawspot.runtime.feed import Shot
from flawspot.runtime.index_page import Entry, write_index
from flawspot.runtime.maps import save_map
from flawspot.runtime.not_inspected import NotInspected
from flawspot.runtime.pictures import PictureNames
from flawspot.runtime.prediction import Prediction
from flawspot.runtime.table import rows
from flawspot.texts import counted, spreadsheet_cell

_NOTES = 3
"""How many failures to write are reported one by one."""
_INDEX_SECONDS = 5
"""Seconds between two versions of the page in an endless run."""


@dataclass(frozen=True)
class Wanted:
    """The outputs to write; see the options of the command."""

    pictures: Path | None = None
    suffix: str = ".jpg"
    maps: Path | None = None
    maps_suffix: str = ".npy"
    table: Path | None = None
    only_anomalous: bool = False
    as_json: bool = False

    @property
    def writes(self) -> bool:
        """Whether anything is written besides what is printed."""
        return any(path is not None for path in (self.pictures, self.maps, self.table))

    def check(self) -> None:
        """Check before the work that the outputs can be written.

        Raises:
            FlawspotError: one of them cannot be written.
        """
        for folder in (self.pictures, self.maps):
            if folder is not None:
                check_folder(folder)
        if self.table is not None:
            check_writable(self.table)


@dataclass
class Counts:
    """How many photographs had which verdict so far, and the seconds that the detector took."""

    predicted: int = 0
    anomalous: int = 0
    not_inspected: int = 0
    seconds: float = 0.0
    unwritten: int = 0
    begin: float = field(default_factory=time.perf_counter)

    def summary(self) -> str:
        """The counts in one line, with the overall rate, which includes decoding, drawing and writing."""
        count = self.predicted + self.not_inspected
        if not count:
            return ""
        missing = f", {self.not_inspected} not inspected" if self.not_inspected else ""
        verdicts = f"{self.anomalous} anomalous, {self.predicted - self.anomalous} good{missing}"
        told = f"{counted(count, 'photograph')}: {verdicts}"
        if not self.predicted:
            return told
        seconds = max(time.perf_counter() - self.begin, 1e-9)
        return (
            f"{told}; {count / seconds:.3g} a second with decoding and writing, the detector alone takes "
            f"{1000 * self.seconds / self.predicted:.1f} ms each"
        )


class Outputs:
    """Prints and writes the results one by one. Failures to write are counted, and the other outputs go on.

    Args:
        wanted: what to write.
        title: title of the page.
        known: the input photographs, which no output may overwrite.
        live: whether the run is endless. The table then grows line by line, and the page is rewritten from time to
            time.

    Raises:
        FlawspotError: a folder for pictures cannot be written to.
    """

    def __init__(self, wanted: Wanted, title: str, known: Iterable[Shot] = (), *, live: bool = False) -> None:
        self.counts = Counts()
        self._wanted, self._title, self._live = wanted, title, live
        self._unread = False
        known = list(known)
        paths = [shot.source for shot in known if isinstance(shot.source, Path)]
        folders = ((wanted.pictures, wanted.suffix), (wanted.maps, wanted.maps_suffix))
        self._pictures, self._maps = (
            None if folder is None else PictureNames(folder, suffix, paths) for folder, suffix in folders
        )
        for folder, _ in folders:
            for parent in set() if folder is None else {(folder / shot.relative).parent for shot in known}:
                check_folder(parent)
        self._entries: list[Entry] = []
        self._written = -math.inf
        self._table = None if wanted.table is None else _Table(wanted.table, live)

    def add(self, shot: Shot, found: Prediction | NotInspected) -> None:
        """Print and write the result of one photograph."""
        if isinstance(found, Prediction):
            self.counts.predicted += 1
            self.counts.anomalous += found.is_anomalous
            self.counts.seconds += found.seconds
        else:
            self.counts.not_inspected += 1
        if self._wanted.only_anomalous and found.verdict == "good":
            return
        if self._table is not None:  # before the verdict is printed, so that a reader of it finds the row
            self._table.add(shot, found)
        picture = None
        try:
            self._tell(shot, found)
            if isinstance(found, Prediction):
                if self._maps is not None:
                    self._attempt(self._maps, shot, lambda path: save_map(path, found.map))
                if self._pictures is not None:
                    picture = self._attempt(self._pictures, shot, found.save)
        finally:  # a printed verdict is on the page too, even if Ctrl-C comes right after it
            if self._wanted.pictures is not None:
                self._entries.append(_entry(shot, found, picture))
        if self._wanted.pictures is not None and self._live and time.monotonic() - self._written > _INDEX_SECONDS:
            self._write_index(self._wanted.pictures)

    def close(self) -> None:
        """Write the outputs that are written at the end."""
        if self._table is not None:
            self._table.close()
        if self._wanted.pictures is not None and self._entries:
            self._write_index(self._wanted.pictures)

    def _write_index(self, folder: Path) -> None:
        try:
            write_index(folder, self._entries, self._title)
        except FlawspotError as error:
            self._failed(error)
        self._written = time.monotonic()

    def _attempt(self, names: PictureNames, shot: Shot, write: Any) -> Path | None:
        try:
            path = names.of(shot.relative)
            write(path)
        except (FlawspotError, OSError) as error:
            self._failed(error)
            return None
        return path

    def _failed(self, error: Exception) -> None:
        self.counts.unwritten += 1
        if self.counts.unwritten <= _NOTES:
            note(str(error))

    def _tell(self, shot: Shot, found: Prediction | NotInspected) -> None:
        """Print the result. If the reader has ended, files are still written as a whole; an endless run ends."""
        if self._unread:
            return
        try:
            self._print(shot, found)
        except OutputError as error:
            if self._live or not (error.reader_is_gone and self._wanted.writes):
                raise
            self._unread = True

    def _print(self, shot: Shot, found: Prediction | NotInspected) -> None:
        if self._wanted.as_json:
            frame = {} if shot.frame is None else {"frame": shot.frame}
            print_json({**found.to_dict(), "path": shot.name, **frame})
        elif isinstance(found, NotInspected):
            named = "" if shot.name in found.reason else f"{shot.title}: "
            out.print(styled("not inspected", "bold yellow"), named + found.reason, sep="  ")
        else:
            verdict = styled("anomalous ", "bold red") if found.is_anomalous else styled("good      ", "green")
            figures = f"severity {found.severity_text:<7} score {found.score:<10.5g} p-value {found.p_value:.4f}"
            out.print(verdict, figures, shot.title, sep="  ")


def _entry(shot: Shot, found: Prediction | NotInspected, picture: Path | None) -> Entry:
    if isinstance(found, NotInspected):
        return Entry(shot.title, found.verdict, math.inf, found.reason, None)
    told = f"severity {found.severity_text} · score {found.score:.4g} · p-value {found.p_value:.4f}"
    return Entry(shot.title, found.verdict, found.severity, told, picture)


class _Table:
    """A CSV file, written as a whole at the end, or line by line in an endless run."""

    def __init__(self, path: Path, live: bool) -> None:
        self._path = path
        if live:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = path.open("w", encoding="utf-8", newline="") if live else io.StringIO(newline="")
        self._writer: Any = None

    def add(self, shot: Shot, found: Prediction | NotInspected) -> None:
        row = {**rows([found])[0], "path": shot.name}
        row = {"path": row.pop("path"), "frame": shot.frame, "verdict": row.pop("verdict"), **row}
        if row["box"] is not None:
            row["box"] = " ".join(map(str, row["box"]))
        if self._writer is None:
            self._writer = csv.writer(self._file)
            self._writer.writerow(row)
        self._writer.writerow(spreadsheet_cell(value) if isinstance(value, str) else value for value in row.values())
        self._file.flush()

    def close(self) -> None:
        if isinstance(self._file, io.StringIO):
            write_bytes(self._path, self._file.getvalue().encode("utf-8", "backslashreplace"))
        self._file.close()
