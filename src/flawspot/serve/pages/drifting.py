"""Drift on the engineer's page: what the tests say, and the button that starts them anew."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flawspot.serve.pages.markup import Markup, facts, joined, local, sure, tag
from flawspot.texts import counted

_MOST_ROWS = 20
_TITLE = "Start the drift tests anew"


def drift_view(detectors: list[str]) -> Markup:
    """A message for each detector with drift that an update may help, with a link to the form."""
    return joined(*(_drifted(name) for name in detectors))


def _drifted(name: str) -> Markup:
    link = tag(
        "a",
        "update it with pictures that people confirmed in the last days",
        href=f"/engineer?detector={quote(name, safe='')}#update",
    )
    text = f"The scores of good parts of {name} have changed. If these parts are correct, "
    return tag("p", text, link, ".", class_="drift", role="status")


def tests_view(told: dict[str, Any], lamp: str, name: str) -> Markup:
    """The drift tests of a detector.

    Args:
        told: the answer of ``/v1/drift/{name}``.
        lamp: text of the lamp.
        name: of the detector.
    """
    tests = told["tests"]
    held = facts(
        [
            ("Lamp", lamp),
            ("Since", local(told["since"])),
            ("Seen", counted(told["parts"], "good part")),
            *((title, _evidence(tests[test])) for test, title in (("scores", "Scores"), ("verdicts", "Verdicts"))),
            ("Looks", _evidence(tests["looks"])),
        ]
    )
    question = (
        f"All evidence of {name} is forgotten, and the next parts are what later ones are held against. Do it once "
        "lamp and camera are as they should be. The record keeps what the tests said."
    )
    button = sure("anew", _TITLE, question, "Yes, start anew", f"/engineer/{quote(name, safe='')}")
    history = [tag("li", local(row["time"]), " ", _row(row)) for row in told["history"][:_MOST_ROWS]]
    return joined(held, button, tag("ol", *history) if history else None)


def _evidence(test: dict[str, Any]) -> str:
    return f"evidence {test['evidence']:.3g}; {'changed' if test['alarm'] else '3 is an alarm'}"


def _row(row: dict[str, Any]) -> str:
    said = row["said"]
    alarms = ", ".join(name for name, test in said["tests"].items() if test["alarm"])
    parts = counted(said["parts"], "good part")
    return f"{row['how']} by {row['by']} after {parts}; {f'changed: {alarms}' if alarms else 'no alarm'}"
