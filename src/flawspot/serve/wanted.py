"""A filter for the results of a record, and the SQL for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HOLDING = ("hold", "release")
"""Words that put a part on hold and release it. All other words say what the part is."""


@dataclass(frozen=True)
class Wanted:
    """A filter for results. None accepts all.

    Attributes:
        verdict: the verdict: ``good``, ``anomalous`` or ``not inspected``.
        detector: name of the detector.
        part: the part's own number.
        since, until: times as in `Row.time`; until is exclusive.
        word: the latest word, such as ``false alarm``. ``hold`` and ``release`` are looked for separately: only the
            latest of these two counts. ``any`` accepts any word.
    """

    verdict: str | None = None
    detector: str | None = None
    part: str | None = None
    since: str | None = None
    until: str | None = None
    word: str | None = None


def clauses_of(wanted: Wanted) -> tuple[list[str], list[Any]]:
    """The conditions of the search in SQL, and their values."""
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
        # Holding a part does not say what it is, and releasing it takes no other word back.
        among = "IS NOT NULL" if wanted.word == "any" else "IN" if wanted.word in HOLDING else "NOT IN"
        held = "" if wanted.word == "any" else f" ({', '.join(map(repr, HOLDING))})"
        said = (
            "SELECT json_extract(w.body, '$.word') FROM rows w WHERE w.subject = rows.number AND w.kind = 'word' "
            f"AND json_extract(w.body, '$.word') {among}{held} ORDER BY w.number DESC LIMIT 1"
        )
        clauses.append(f"({said}) IS NOT NULL" if wanted.word == "any" else f"({said}) = ?")
        values += [] if wanted.word == "any" else [wanted.word]
    return clauses, values
