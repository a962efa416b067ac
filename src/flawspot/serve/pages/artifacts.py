"""The artifacts on the engineer's page: the present one, the candidate and its trial, and who approved which one
when."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flawspot.serve.pages.markup import Markup, facts, icon, joined, local, sure, tag
from flawspot.serve.pages.results import thumbnail
from flawspot.texts import counted

MOST_CHANGES = 60


def artifacts_view(told: dict[str, Any], name: str, threshold: float) -> Markup:
    """The artifacts of a detector, with buttons for the possible actions.

    Args:
        told: the answer of ``/v1/artifacts/{name}``.
        name: of the detector.
        threshold: of the present artifact.
    """
    candidate, action = told["candidate"], f"/engineer/{quote(name, safe='')}"
    present = facts(
        [("At work", told["title"]), ("Artifact", told["artifact"][:12]), ("Threshold", f"{threshold:.4g}")]
    )
    file = tag("input", type="file", name="file", accept=".onnx", required=True)
    send = tag(
        "form",
        tag("label", "Another artifact ", file),
        tag("button", "Try it on the last pictures", name="do", value="send"),
        method="post",
        enctype="multipart/form-data",
        action=action,
    )
    previous = told["previous"] or next((row["previous"] for row in told["history"] if row["previous"]), None)
    back = None
    if previous is not None:
        question = f"Artifact {previous[:12]} will judge {name} again, instead of {told['artifact'][:12]}."
        back = sure("back", "Roll back", question, "Yes, roll back", action, previous)
    history = [tag("li", local(row["time"]), " ", _switched(row)) for row in told["history"][:50]]
    return joined(
        present,
        None if candidate is None else _candidate(candidate, told["artifact"], name, action),
        send,
        back,
        tag("h3", "History"),
        tag("ol", *history),
    )


def _candidate(candidate: dict[str, Any], present: str, name: str, action: str) -> Markup:
    short = candidate["sha256"][:12]
    told = facts(
        [
            ("Candidate", candidate["title"]),
            ("Artifact", short),
            ("Threshold", f"{candidate['threshold']:.4g}"),
            ("Sent by" if candidate["update_of"] is None else "Update asked for by", candidate["by"]),
            ("Update of", None if candidate["update_of"] is None else candidate["update_of"][:12]),
        ]
    )
    if candidate["state"] == "trying":
        asked = quote(name, safe="")
        data = {"data_artifacts": f"/v1/artifacts/{asked}", "data_page": f"/engineer?detector={asked}&tried=1#artifact"}
        text = f"Being tried: {candidate['pictures']} of {candidate['of']} pictures."
        return tag("div", told, tag("p", text, id="trial", role="status", **data), class_="candidate")
    if candidate["state"] == "failed":
        failed = tag("p", f"The trial failed: {candidate['reason']}", class_="bad")
        return tag("div", told, failed, _turn_down(candidate["sha256"], action), class_="candidate")
    changed = candidate["changed"]
    others = f"{counted(len(changed), 'verdict')} would change"
    text = (
        f"Tried on the last {candidate['pictures']} pictures: {others}. Where the verdict stays, the severity "
        f"changes by at most {candidate['largest_change']:.2g}."
    )
    cards = [_change(change) for change in changed[:MOST_CHANGES]]
    question = (
        f"Artifact {short} will judge {name} from the next part on, instead of {present[:12]}. On the last "
        f"{candidate['pictures']} pictures {others}."
    )
    approve = sure("approve", "Approve the candidate", question, "Yes, approve", action, candidate["sha256"])
    changes = tag("div", *cards, class_="cards") if cards else None
    return tag(
        "div", told, tag("p", text), changes, approve, _turn_down(candidate["sha256"], action), class_="candidate"
    )


def _turn_down(artifact: str, action: str) -> Markup:
    """A button without a question, as the present artifact stays."""
    hidden = tag("input", type="hidden", name="artifact", value=artifact)
    return tag(
        "form", hidden, tag("button", "Turn it down", name="do", value="turn-down"), method="post", action=action
    )


def _change(change: dict[str, Any]) -> Markup:
    sides = [
        tag("span", when, " ", icon(change[which]), " ", change[which], _in_brackets(change[f"severity_{which}"]))
        for when, which in (("now", "before"), ("then", "after"))
    ]
    return tag("div", thumbnail(change["picture"]), *sides)


def _in_brackets(severity: float | None) -> str:
    return "" if severity is None else f" ({severity:.3g})"


def _switched(row: dict[str, Any]) -> str:
    told = f"{row['artifact'][:12]} {row['how']} by {row['by']}"
    if "tried" in row:
        told += f", tried on {counted(row['tried'], 'picture')}, with {counted(row['changed'], 'changed verdict')}"
    return told
