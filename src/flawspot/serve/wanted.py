"""Which results of a record are asked for, and how a search for them is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HOLDING = ("hold", "release")
"""Words that set a part aside and back; all others say what it is."""


@dataclass(frozen=True)
class Wanted:
    """Which results are asked for; None asks for all.

    Attributes:
        verdict: ``good``, ``anomalous`` or ``not inspected``.
        detector: its name.
        part: the part's own number.
        since, until: times as in `Row.time`; until is exclusive.
        word: the last word that people have said of it, such as ``false alarm``, apart from ``hold`` and ``release``,
            of which the last one counts; ``any`` for whatever word.
    """

    verdict: str | None = None
    detector: str | None = None
    part: str | None = None
    since: str | None = None
    until: str | None = None
    word: str | None = None


def clauses_of(wanted: Wanted) -> tuple[list[str], list[Any]]:
    """The conditions of a search in SQL, and their values."""
    clauses, values = ["kind = 'result'"], list[Any]()
    for clause, value in (
        ("verdict = ?", wanted.verdict),
        ("detector = ?", wanted.detector),
        ("part = ?", wanted.part),
        ("time >= ?", wanted.since),
        ("time < ?", wanted.until),
    ):
        if value is not None:
            clauses.append(clause)
            values.append(value)
    if wanted.word is not None:
        # To hold a part says nothing of what it is, and to release it takes no other word back.
        among = "IS NOT NULL" if wanted.word == "any" else "IN" if wanted.word in HOLDING else "NOT IN"
        held = "" if wanted.word == "any" else f" ({', '.join(map(repr, HOLDING))})"
        said = (
            "SELECT json_extract(w.body, '$.word') FROM rows w WHERE w.subject = rows.number AND w.kind = 'word' "
            f"AND json_extract(w.body, '$.word') {among}{held} ORDER BY w.number DESC LIMIT 1"
        )
        clauses.append(f"({said}) IS NOT NULL" if wanted.word == "any" else f"({said}) = ?")
        values += [] if wanted.word == "any" else [wanted.word]
    return clauses, values
