"""A table as data, from which both the page and Markdown are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flawspot.benchmark.report.names import plain

DASH = "–"
"""Stands for a figure that is missing; never a zero."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: its name.
        unit: of its figures, shown small below the name.
        numeric: right-aligned, and sorted by value.
        hint: a longer explanation.
        identity: part of what names a row; does not scroll away where there is room.
    """

    heading: str
    unit: str = ""
    numeric: bool = True
    hint: str = ""
    identity: bool = False


@dataclass(frozen=True)
class Entry:
    """One field of a table.

    Attributes:
        text: as shown; several lines where it holds line ends.
        value: to sort by; None for a missing figure, which sorts last.
        note: number of the footnote that says more, from 1.
        hint: shown when pointed at.
        strong: the best of its column.
        shade: 0 to 1, how deep the field is tinted.
        detail: a second line, small.
    """

    text: str
    value: float | str | None = None
    note: int | None = None
    hint: str = ""
    strong: bool = False
    shade: float | None = None
    detail: str = ""


@dataclass
class Table:
    """A table with footnotes.

    Attributes:
        key: a name for links, of letters, digits and hyphens.
        title: shown above.
        columns, rows: of the same length each.
        intro: what the figures are and how they were made.
        notes: the footnotes, in the order of their numbers.
    """

    key: str
    title: str
    columns: Sequence[Column]
    rows: list[list[Entry]] = field(default_factory=list)
    intro: str = ""
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> int:
        """The number of a footnote; the same text is not said twice."""
        if text not in self.notes:
            self.notes.append(text)
        return self.notes.index(text) + 1

    def missing(self, reason: str) -> Entry:
        """A dash with its reason."""
        return Entry(DASH, None, self.note(reason), reason)

    def markdown(self) -> str:
        """As a Markdown table under a third-level heading, with the footnotes as a list below."""
        lines = [f"### {escape_markdown(self.title)}", ""]
        if self.intro:
            lines += [escape_markdown(self.intro), ""]
        headings = [escape_markdown(c.heading + (f" ({c.unit})" if c.unit else "")) for c in self.columns]
        lines.append("| " + " | ".join(headings) + " |")
        lines.append("|" + "|".join("--:" if column.numeric else ":--" for column in self.columns) + "|")
        for row in self.rows:
            lines.append("| " + " | ".join(map(_field, row)) + " |")
        if self.notes:
            lines += ["", *(f"{number}. {escape_markdown(note)}" for number, note in enumerate(self.notes, 1))]
        return "\n".join(lines) + "\n"


def _field(entry: Entry) -> str:
    text = "<br>".join(map(escape_markdown, entry.text.split("\n")))
    if entry.strong:
        text = f"**{text}**"
    if entry.detail:
        text += f"<br>{escape_markdown(entry.detail)}"
    return text if entry.note is None else f"{text} [{entry.note}]"


def escape_markdown(text: str) -> str:
    """`text` so that Markdown, and the HTML it allows, shows it as it is."""
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + c if c in "\\`*_[]|~$" else c for c in text)


def words(text: object, hint: str = "") -> Entry:
    """A field of words, sorted as such."""
    shown = plain(text)
    return Entry(shown, shown.lower(), hint=plain(hint))


def number(value: float, digits: int = 3) -> Entry:
    """A figure with a fixed number of decimals."""
    return Entry(f"{value:,.{digits}f}", float(value))


def amount(value: float) -> Entry:
    """A figure with three significant digits, and no fewer than all before the point."""
    return Entry(three_digits(value), float(value))


def three_digits(value: float) -> str:
    """Such as 5,320, 341, 22.9, 5.11 or 0.0031."""
    size = abs(value)
    if size >= 100 or value == 0:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def signed(value: float, digits: int = 3, unit: str = "") -> Entry:
    """A difference."""
    text = f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")
    return Entry(text + unit, float(value))


def mark_best(rows: Iterable[list[Entry]], column: int, largest: bool = True) -> None:
    """Make the best figure of a column strong; all of them where several share it as shown."""
    chosen = [row for row in rows if isinstance(row[column].value, float)]
    if len(chosen) < 2:
        return
    best = (max if largest else min)(chosen, key=lambda row: float(row[column].value or 0.0))[column].text
    for row in chosen:
        if row[column].text == best:
            row[column] = dataclasses.replace(row[column], strong=True)
