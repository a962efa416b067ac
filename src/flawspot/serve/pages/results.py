"""The results on the engineer's page: the list, and one of them large."""

from __future__ import annotations

from typing import Any

from flawspot.serve.pages.markup import Markup, facts, icon, joined, local, tag
from flawspot.texts import shortened

_REASON = 160
"""Characters of a reason on a card; the whole of it is shown with the result, and when pointed at."""


def result_list(results: list[dict[str, Any]], link: str) -> Markup:
    """Results as cards that are links.

    Args:
        results: results in the form of the API.
        link: address of a link, to which the result's number is appended.
    """
    if not results:
        return tag("p", "No result fits the filter: widen it, or wait for parts.", class_="big")
    return tag("div", *(_card(result, link) for result in results), class_="cards")


def chosen(result: dict[str, Any], words: list[dict[str, Any]]) -> Markup:
    """One result with its picture and all words on it."""
    title = joined(icon(result["verdict"]), f" No {result['number']}: {result['verdict']}")
    milliseconds = result.get("milliseconds", {}).get("judged")
    told = facts(
        [
            ("Reason", result.get("reason")),
            ("Part", result.get("part")),
            ("Name", result.get("name")),
            ("Time", local(result["time"])),
            ("Severity", severity(result)),
            ("Score", _number(result.get("score"))),
            ("Threshold", _number(result.get("threshold"))),
            ("p-value", _number(result.get("p_value"))),
            ("Place", result.get("station")),
            ("Came by", result.get("origin")),
            ("Detector", result["detector"]),
            ("Artifact", result["artifact"][:12]),
            ("Judged in", None if milliseconds is None else f"{milliseconds} ms"),
        ]
    )
    said = [tag("li", local(word["time"]), " ", _said(word)) for word in words]
    return tag(
        "section",
        tag("h2", title, id="chosen-title"),
        tag("div", _photo(result), class_="photo"),
        told,
        tag("h3", "Words"),
        tag("ol", *said) if said else tag("p", "Nobody has commented on it."),
        id="chosen",
        aria_labelledby="chosen-title",
    )


def severity(result: dict[str, Any]) -> str:
    """The severity in few digits, rounded so that it never crosses 1."""
    value = result.get("severity")
    if value is None:
        return "∞" if result["verdict"] == "anomalous" else "none"
    texts = (f"{value:.{digits}g}" for digits in (2, 3, 5, 8, 17))
    return next(text for text in texts if (float(text) > 1) == (value > 1))


def thumbnail(picture: str | None) -> Markup:
    """A small picture, or an empty frame if there is none."""
    if picture is None:
        return tag("span", class_="thumbnail")
    return tag("img", src=f"/v1/pictures/{picture}/view?side=160", alt="", loading="lazy", class_="thumbnail")


def _card(result: dict[str, Any], link: str) -> Markup:
    part = None if result["part"] is None else tag("span", f"Part {result['part']}")
    name, reason = result.get("name"), result.get("reason")
    return tag(
        "a",
        thumbnail(result["picture"] if result.get("image_size") else None),
        tag("b", icon(result["verdict"]), " ", result["verdict"]),
        tag("span", f"No {result['number']}"),
        part,
        None if name is None else tag("span", shortened(name)),
        None if reason is None else tag("span", shortened(reason, _REASON), title=reason, class_="reason"),
        None if severity(result) == "none" else tag("span", f"Severity {severity(result)}"),
        tag("span", local(result["time"])),
        None if result["word"] is None else tag("span", result["word"], class_="badge"),
        href=f"{link}{result['number']}#chosen",
    )


def _photo(result: dict[str, Any]) -> Markup:
    picture, size = result["picture"], result.get("image_size")
    if picture is None:
        return tag("p", "There is no picture.", class_="big")
    if size is None:  # it could not be read, and so cannot be shown
        link = tag("a", "Download its file.", href=f"/v1/pictures/{picture}", download=True)
        return tag("p", "This picture could not be read. ", link, class_="big")
    width, height = size
    found = [_box("found", region["box"]) for region in result["regions"]]
    drawn = [_box("said", box) for box in result["boxes"]]
    image = tag("image", href=f"/v1/pictures/{picture}/view", width=width, height=height)
    return tag("svg", image, *found, *drawn, viewBox=f"0 0 {width} {height}", role="img", aria_label="Picture")


def _box(kind: str, box: list[int]) -> Markup:
    left, top, right, bottom = box
    return tag("rect", class_=kind, x=left, y=top, width=right - left, height=bottom - top)


def _said(word: dict[str, Any]) -> str:
    drawn = f", {len(word['boxes'])} drawn" if word["boxes"] else ""
    return f"{word['by']}: {word['word']}{drawn}" + (f"; {word['note']}" if word["note"] else "")


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
