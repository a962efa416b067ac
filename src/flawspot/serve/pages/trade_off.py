"""The threshold on the engineer's page: what other thresholds would do to the parts that people have confirmed."""

from __future__ import annotations

import json
from typing import Any

from flawspot.serve.pages.markup import Markup, joined, tag
from flawspot.texts import counted

WIDTH, HEIGHT, _TOP, _BOTTOM = 600, 220, 10, 190


def trade_off_view(told: dict[str, Any]) -> Markup:
    """Two curves over the threshold, and a sentence on what the present threshold did.

    Args:
        told: the values of `flawspot.serve.confirmed.trade_off`, and ``present``, the threshold.
    """
    good, defective, points, present = told["good"], told["defective"], told["points"], float(told["present"])
    known = f"Of the parts that this artifact judged, {good} are confirmed as good and {defective} as defective."
    if not points:
        return tag("p", known, " Once people at the line say what parts were, this shows other thresholds.")
    ends = [present, *(point["threshold"] for point in points)]
    margin = (max(ends) - min(ends) or abs(present) or 1.0) / 20
    low, high = min(ends) - margin, max(ends) + margin

    def across(threshold: float) -> float:
        return float(round(WIDTH * (threshold - low) / (high - low), 2))

    def curve(name: str, of: int, first: int) -> Markup:
        steps = [(across(point["threshold"]), _down(point[name], of)) for point in points]
        path = f"M0 {_down(first, of)}" + "".join(f" H{x} V{y}" for x, y in steps) + f" H{WIDTH}"
        return tag("path", d=path, class_=name.replace("_", "-"))

    lines = [_upright(across(present), class_="present"), _upright(across(present), class_="asked", id="chosen-line")]
    curves = [curve("false_alarms", good, good), curve("missed", defective, 0)]
    texts = [
        tag("text", told, x=x, y=y, text_anchor=end)
        for told, x, y, end in (
            ("100 %", 4, 24, "start"),
            ("0 %", 4, 186, "start"),
            (f"{low:.3g}", 4, 212, "start"),
            (f"{high:.3g}", WIDTH - 4, 212, "end"),
        )
    ]
    label = "Shares of good parts called anomalous and of defective parts called good, by threshold"
    data = json.dumps({"points": points, "good": good, "defective": defective, "low": low, "high": high})
    slider = tag("input", id="slider", type="range", min=low, max=high, step="any", value=present, data_known=data)
    return joined(
        tag("p", known),
        tag("svg", *curves, *lines, *texts, viewBox=f"0 0 {WIDTH} {HEIGHT}", id="curves", role="img", aria_label=label),
        tag(
            "ul",
            tag("li", "good parts called anomalous", class_="false-alarms"),
            tag("li", "defective parts called good", class_="missed"),
            tag("li", f"the present threshold, {present:.4g}", class_="present"),
            class_="legend",
        ),
        tag("label", "Another threshold ", slider),
        tag("p", _words(told, present), id="trade", role="status"),
    )


def _words(told: dict[str, Any], threshold: float) -> str:
    before = [point for point in told["points"] if point["threshold"] <= threshold]
    alarms = before[-1]["false_alarms"] if before else told["good"]
    missed = before[-1]["missed"] if before else 0
    return (
        f"The present threshold calls {alarms} of {counted(told['good'], 'good part')} anomalous and "
        f"{missed} of {told['defective']} defective ones good."
    )


def _down(count: int, of: int) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * count / max(of, 1), 2)


def _upright(x: float, **attributes: object) -> Markup:
    return tag("line", x1=x, x2=x, y1=0, y2=HEIGHT, **attributes)
