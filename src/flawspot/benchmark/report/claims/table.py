"""The claims as a table, for the page and for documents."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from flawspot.benchmark.report.claims.pairing import HOW
from flawspot.benchmark.report.claims.verdict import FAILS, HOLDS, OPEN, Claim, Part
from flawspot.benchmark.report.names import data_name, plain
from flawspot.benchmark.report.tables import Column, Entry, Table, words

TITLE = "Claims of the paper, tested"


def claims_table(claims: Sequence[Claim]) -> Table:
    """A row for each claim. Footnotes name the categories of the figures."""
    columns = [
        Column("claim of the paper", numeric=False, identity=True),
        Column("our data", numeric=False),
        Column("verdict", numeric=False),
        Column("holds where", numeric=False),
        Column("section", numeric=False),
    ]
    table = Table("claims", "Each claim", columns, intro=HOW)
    for claim in claims:
        verdict = dataclasses.replace(words(claim.verdict), detail=plain(claim.reason))
        table.rows.append([words(claim.text), _data(table, claim), verdict, words(claim.rule), words(claim.section)])
    return table


def counted(claims: Sequence[Claim]) -> str:
    """The number of claims for each verdict, in one line."""
    found = [claim.verdict for claim in claims]
    return ", ".join(f"{name}: {found.count(name)}" for name in (HOLDS, FAILS, OPEN))


def categories_text(part: Part) -> str:
    """The categories of a figure, by data set; empty if there are none."""
    by_data: dict[str, list[str]] = {}
    for data, category in part.categories:
        by_data.setdefault(data_name(data), []).append(plain(category))
    return "; ".join(f"{data}: {', '.join(names)}" for data, names in by_data.items())


def _data(table: Table, claim: Claim) -> Entry:
    """A line for each part."""
    lines = [text for text, _ in claim.lines]
    lists = list(dict.fromkeys(filter(None, map(categories_text, claim.parts))))
    note = None
    if lists:
        note = table.note("categories: " + " / ".join(lists))
    return Entry("\n".join(map(plain, lines)) or "–", None, note)
