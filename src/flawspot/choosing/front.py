"""Draws accuracy against cost as SVG: every judged detector, and the Pareto front. The page sets the colours."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from flawspot.choosing.budget import bytes_text, macs_text
from flawspot.choosing.choice import Choice, Judged, cost_of

WIDTH, HEIGHT = 420, 320
"""Size of the drawing in SVG units."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 16, 28, 48

STYLE = """
.front text { font: 12px system-ui, sans-serif; fill: var(--ink); } .front .quiet { fill: var(--quiet); }
.front .grid { stroke: var(--line); } .front .limit { stroke: var(--bad); stroke-dasharray: 4 3; }
.front circle { fill: var(--quiet); } .front .on { fill: var(--on); } .front .out { fill: none; stroke: var(--quiet); }
.front .best { fill: var(--best); } .front polyline { fill: none; stroke: var(--on); stroke-width: 1.5; }
.front .number { font-size: 10px; }
"""
COLOURS = "--ink: #1b1f27; --quiet: #5b6472; --line: #d9dde3; --on: #2f4d8f; --best: #b3401f; --bad: #b3401f;"
DARK = "--ink: #e9ecf1; --quiet: #a2abb8; --line: #353b45; --on: #7fb8ff; --best: #ff9a62; --bad: #ff9a62;"


def front(choice: Choice, cost: str) -> str:
    """An SVG element with cost on a logarithmic axis and rank above it. The numbers are those of the page's table.

    Args:
        choice: the choice to draw.
        cost: ``memory`` or ``macs``.
    """
    costs = [max(cost_of(one, cost), 1) for one in choice.judged]
    ranks = [one.rank for one in choice.judged]
    low, high = math.log(min(costs)) - 0.1, math.log(max(costs)) + 0.1
    bottom, top = math.floor(20 * min(ranks)) / 20, min(math.ceil(20 * max(ranks) + 0.2) / 20, 1.0)
    if top <= bottom:
        bottom, top = max(bottom - 0.05, 0.0), min(top + 0.05, 1.0)

    def place(one: Judged) -> tuple[float, float]:
        x = (math.log(max(cost_of(one, cost), 1)) - low) / (high - low)
        y = (one.rank - bottom) / (top - bottom)
        return _LEFT + x * (WIDTH - _LEFT - _RIGHT), _TOP + (1 - y) * (HEIGHT - _TOP - _BOTTOM)

    on_front = choice.front(cost)
    text = bytes_text if cost == "memory" else macs_text
    parts = [*_grid(bottom, top), *_costs(low, high, text)]
    parts.append('<text class="quiet" x="4" y="16">mean of image AUROC and pixel F1-max, pasted defects</text>')
    unit = "memory" if cost == "memory" else "multiply-accumulates for a photograph"
    parts.append(f'<text class="quiet" x="{WIDTH - _RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{unit}</text>')
    parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, on_front))}"/>')
    for number, one in enumerate(choice.judged, 1):
        parts += _point(number, one, place(one), one in on_front, one is choice.best)
    title = html.escape(f"accuracy on pasted defects against {unit}")
    svg = "".join(parts)
    return f'<svg class="front" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{svg}</svg>'


def _point(number: int, one: Judged, place: tuple[float, float], is_on: bool, is_best: bool) -> Sequence[str]:
    kind = "best" if is_best else "on" if is_on else "out" if one.why_not else ""
    x, y = place
    said = html.escape(f"{number}: {one.name}, {one.rank:.3f}")
    shown = (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{5 if is_best else 3.5}"><title>{said}</title></circle>'
    )
    label = f'<text class="number" x="{x + 6:.1f}" y="{y - 4:.1f}">{number}</text>'
    return [shown, label] if is_on or is_best else [shown]


def _grid(bottom: float, top: float) -> Sequence[str]:
    parts = []
    step = 0.05 if top - bottom <= 0.3 else 0.1
    for tick in range(round((top - bottom) / step) + 1):
        value = bottom + tick * step
        y = _TOP + (1 - (value - bottom) / (top - bottom)) * (HEIGHT - _TOP - _BOTTOM)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    return parts


def _costs(low: float, high: float, text: object) -> Sequence[str]:
    assert callable(text)
    parts = []
    for share in (0.02, 0.5, 0.98):
        x = _LEFT + share * (WIDTH - _LEFT - _RIGHT)
        anchor = "start" if share < 0.3 else "end" if share > 0.7 else "middle"
        value = math.exp(low + share * (high - low))
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 26}" text-anchor="{anchor}">{text(value)}</text>')
    return parts
