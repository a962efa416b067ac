"""A table as data, from which both the page and Markdown are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flawspot.benchmark.report.names import plain

DASH = "–"
"""The sign for a missing figure. Zero is never used for it."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: name of the column.
        unit: unit of its figures, shown small below the name.
        numeric: whether it is right-aligned and sorted by value.
        hint: a longer explanation.
        identity: whether it is part of a row's name. Such columns do not scroll away if there is room.
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
        text: the shown text, of one or more lines.
        value: value for sorting; None for a missing figure, which sorts last.
        note: number of its footnote, from 1.
        hint: tooltip.
        strong: whether it is the best of its column.
        shade: strength of the field's tint, 0 to 1.
        detail: a second, small line.
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
        key: name for links, of letters, digits and hyphens.
        title: title above the table.
        columns, rows: each row has as many entries as there are columns.
        intro: text on what the figures are and how they were made.
        notes: the footnotes, in the order of their numbers.
    """

    key: str
    title: str
    columns: Sequence[Column]
    rows: list[list[Entry]] = field(default_factory=list)
    intro: str = ""
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> int:
        """The number of a footnote. Equal texts share one footnote."""
        if text not in self.notes:
            self.notes.append(text)
        return self.notes.index(text) + 1

    def missing(self, reason: str) -> Entry:
        """A dash with its reason."""
        return Entry(DASH, None, self.note(reason), reason)

    def markdown(self) -> str:
        """The table in Markdown under a third-level heading, with the footnotes as a list below."""
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
    """`text` escaped, so that Markdown, and the HTML that it allows, shows it literally."""
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
    """A figure with three significant digits, or all digits before the point if there are more."""
    return Entry(three_digits(value), float(value))


def three_digits(value: float) -> str:
    """A number with three significant digits, such as 5,320, 341, 22.9, 5.11 or 0.0031."""
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
    """Make the best figure of a column strong. If several look equal, all of them become strong."""
    chosen = [row for row in rows if isinstance(row[column].value, float)]
    if len(chosen) < 2:
        return
    best = (max if largest else min)(chosen, key=lambda row: float(row[column].value or 0.0))[column].text
    for row in chosen:
        if row[column].text == best:
            row[column] = dataclasses.replace(row[column], strong=True)
