"""Updates on the engineer's page: the form, the progress, and the result."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from flawspot.serve.pages.markup import Markup, facts, joined, local, tag
from flawspot.serve.updating.choosing import DEFAULT_SAMPLE, MOST_SAMPLE
from flawspot.texts import as_whole_number, counted

_MOST_SUSPECTS = 20


def update_view(told: dict[str, Any], name: str) -> Markup:
    """The update of a detector.

    Args:
        told: the answer of ``/v1/artifacts/{name}/update``.
        name: of the detector.
    """
    what = tag(
        "p",
        "It learns from parts that people called a false alarm or confirmed as good, and from good ones that nobody "
        "commented on. The result is a candidate: it judges no part before you approve it.",
    )
    if told["state"] == "running":
        return joined(what, _running(told, name))
    last = {"none": lambda _: None, "made": _made, "failed": _failed}[told["state"]](told)
    return joined(what, _form(name) if told["cannot"] is None else tag("p", f"Not now: {told['cannot']}."), last)


def _form(name: str) -> Markup:
    most = {"min": 0, "max": MOST_SAMPLE, "value": DEFAULT_SAMPLE}
    return tag(
        "form",
        tag("label", "Parts since ", tag("input", name="since", type="datetime-local")),
        tag(
            "label",
            "Good ones that nobody commented on ",
            tag("input", name="sample", type="number", required=True, **most),
        ),
        tag("button", "Make an update", name="do", value="update"),
        tag("p", "Without a time: since the present artifact began to judge."),
        method="post",
        action=f"/engineer/{_in(name)}",
        id="ask-update",
    )


def _running(told: dict[str, Any], name: str) -> Markup:
    data = {
        "data_artifacts": f"/v1/artifacts/{_in(name)}",
        "data_page": f"/engineer?detector={_in(name)}&updated=1#update",
    }
    text = tag("p", told["far"], id="far", role="status", **data)
    return tag("div", text, tag("p", f"Asked for by {told['by']}, ", local(told["time"])), class_="candidate")


def _failed(told: dict[str, Any]) -> Markup:
    text = tag("p", f"The update failed: {told['reason']}.", class_="bad", role="alert")
    return joined(_asked(told), text, _left_out(told["pictures"]))


def _made(told: dict[str, Any]) -> Markup:
    report, pictures = told["report"], told["pictures"]
    sources = (
        (pictures["false_alarms"], "that people called a false alarm"),
        (pictures["confirmed"], "confirmed as good"),
        (pictures["sampled"], f"of {pictures['kept_good']} kept ones that nobody commented on"),
    )
    used = ", ".join(f"{count} {what}" for count, what in sources if count)
    learned = f"It learned from {counted(report['learned'], 'picture')}; {report['held_out']} more set the threshold."
    before = "before → after"
    changes = facts(
        [
            ("Came to", told["candidate"][:12]),
            ("Threshold", f"{report['threshold_before']:.4g} → {report['threshold']:.4g}"),
            ("Alarms on new held-out", _alarms(report, "new_alarms", report["held_out"])),
            ("Alarms on earlier held-out", _alarms(report, "old_alarms", report["old_held_out"])),
            ("Pasted defects found", _pasted(report)),
            ("By the defect alone", _found(report, "pasted_alone")),
            ("At one promised rate", _found(report, "pasted_alike")),
            (
                "Promised false-alarm rate",
                f"{report['promised_rate']:.2%}, if these pictures are a fair sample of good parts",
            ),
        ]
    )
    known = f"{counted(report['known'], 'picture')} it already knew." if report["known"] else None
    lines = [tag("li", line) for line in report["told"]]
    return joined(
        _asked(told),
        tag("p", f"Pictures: {used}. {learned} Numbers: {before}."),
        changes,
        tag("ul", *lines) if lines else None,
        None if known is None else tag("p", known),
        _worse(report),
        _suspects(report["suspects"], report.get("threshold_without")),
        _left_out(pictures),
    )


def _asked(told: dict[str, Any]) -> Markup:
    return tag("h3", "The last one, asked for by ", told["by"], ", ", local(told["time"]))


def _alarms(report: dict[str, Any], name: str, count: int) -> str | None:
    return f"{report[f'{name}_before']} → {report[name]} of {count}" if count else None


def _pasted(report: dict[str, Any]) -> str | None:
    if not report.get("pasted"):
        return None
    before = report.get("pasted_found_before")  # rows of before 2026-11-27 have none
    return f"{'' if before is None else f'{before} → '}{report['pasted_found']} of {report['pasted']}"


def _found(report: dict[str, Any], name: str) -> str | None:
    """Pasted defects that are found by the defect alone. Rows of before 2026-11-28 have none."""
    found = report.get(name) if report.get("pasted") else None
    return None if found is None else f"{found['before']} → {found['now']}"


def _worse(report: dict[str, Any]) -> Markup | None:
    """What says that the update has made the detector worse."""
    if report.get("worse"):
        alike = report["pasted_alike"]
        return tag(
            "p",
            f"Learning has made it worse: at one promised rate it misses {alike['lost']} of {alike['before']} pasted "
            "defects that the detector of today finds. Turn it down, unless you know why.",
            class_="bad",
        )
    if report.get("finds_fewer"):
        alone = report["pasted_alone"]
        return tag(
            "p",
            f"At its threshold it misses {alone['lost']} of {alone['before']} pasted defects that the detector of "
            "today finds. Do not approve it if the pictures that set the threshold show bad parts.",
            class_="bad",
        )
    return None


def _suspects(names: list[str], without: float | None) -> Markup | None:
    """Pictures that score unusually high. What was learned as good may be bad."""
    if not names:
        return None
    numbers = [as_whole_number(PurePath(name).stem) for name in names[:_MOST_SUSPECTS]]
    links = [joined(" ", tag("a", f"No {number}", href=f"/engineer?number={number}#chosen")) for number in numbers]
    effect = f" Without them the threshold would be {without:.4g}." if without is not None else None
    return tag("p", "Look at these before you approve. They may show bad parts:", *links, effect, class_="bad")


def _left_out(pictures: dict[str, int] | None) -> Markup | None:
    """The pictures that were not learned from although people may expect it."""
    if pictures is None:
        return None
    reasons = (
        (pictures["not_kept"], "no longer kept"),
        (pictures["changed"], "changed since they were judged"),
        (pictures["contradicted"], "of parts that are defective or on hold by another result"),
        (pictures["beyond"], "above the limit of one update"),
        (pictures.get("barred", 0), "called good, but on hold or called a missed defect before"),
    )
    told = ", ".join(f"{count} {what}" for count, what in reasons if count)
    return tag("p", f"Left out: {told}.") if told else None


def _in(name: str) -> str:
    return quote(name, safe="")
