"""Draws the share found by size as SVG, with a curve for each contrast. The page sets the colours."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from flawspot.metrics.intervals import wilson
from flawspot.runtime.found_sizes import SPOT, FoundSize, FoundSizes
from flawspot.smallest.sentences import NAMES, size_of

WIDTH, HEIGHT = 360, 300
"""Size of the drawing in SVG units: the width of a phone's page, so that its text is legible there."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 14, 26, 76
_SHADES = 3
_MARKERS = ("circle", "square", "triangle")
_LETTERS_APART = 26
"""Least distance between the middles of two sizes' names."""

STYLE = """
.curve text { font: 12px system-ui, sans-serif; fill: var(--ink); } .curve .quiet { fill: var(--quiet); }
.curve .grid { stroke: var(--line); } .curve .wanted { stroke: var(--quiet); stroke-dasharray: 4 3; }
.curve .s0 { stroke: var(--s0); fill: var(--s0); } .curve .s1 { stroke: var(--s1); fill: var(--s1); }
.curve .s2 { stroke: var(--s2); fill: var(--s2); } .curve polyline[class] { fill: none; stroke-width: 2; }
.curve .interval { opacity: .45; }
"""
COLOURS = "--ink: #1b1f27; --quiet: #5b6472; --line: #d9dde3; --s0: #d08a00; --s1: #b3401f; --s2: #2f4d8f;"
DARK = "--ink: #e9ecf1; --quiet: #a2abb8; --line: #353b45; --s0: #e5c34a; --s1: #ff9a62; --s2: #7fb8ff;"


def curve(found: FoundSizes, kind: str) -> str:
    """An SVG element with sizes of one kind on a logarithmic axis, the share found above, and its 95 % interval as a
    bar."""
    curves = [(contrast, sizes) for (of, contrast), sizes in found.curves().items() if of == kind]
    first = curves[0][1]
    low, high = first[0].width, max(size.width for _, sizes in curves for size in sizes)

    def x(width: float) -> float:
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        if low == high:
            return middle
        inner = WIDTH - _LEFT - _RIGHT - 24
        return _LEFT + 12 + inner * math.log(width / low) / math.log(high / low)

    parts = [*_axes(first, [x(size.width) for size in first], kind), _wanted(found.share)]
    for number, (contrast, sizes) in enumerate(curves):
        nudge = 3 * (number - (len(curves) - 1) / 2)
        parts += _line(found, sizes, [x(size.width) + nudge for size in sizes], number)
        parts += _key(number, len(curves), contrast)
    title = f"share of pasted {NAMES[kind]} found, by size and contrast"
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _y(share: float) -> float:
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - share)


def _axes(sizes: Sequence[FoundSize], places: Sequence[float], kind: str) -> list[str]:
    parts = [f'<text class="quiet" x="4" y="14">share of pasted {NAMES[kind]} found</text>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _y(share)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    last = -math.inf
    for size, x in zip(sizes, places, strict=True):
        if x - last >= _LETTERS_APART:
            last = x
            parts.append(f'<text x="{x:.1f}" y="{_y(0) + 18:.1f}" text-anchor="middle">{size.length}</text>')
    unit = "diameter in pixels" if kind == SPOT else f"length in pixels, {size_of(sizes[-1])} the largest"
    parts.append(f'<text class="quiet" x="{WIDTH - _RIGHT}" y="{_y(0) + 36:.1f}" text-anchor="end">{unit}</text>')
    return parts


def _wanted(share: float) -> str:
    y = _y(share)
    return f'<line class="wanted" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _line(found: FoundSizes, sizes: Sequence[FoundSize], places: Sequence[float], number: int) -> list[str]:
    shade = f"s{number % _SHADES}"
    ys = [_y(size.found / found.trials) for size in sizes]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(places, ys, strict=True))
    parts = []
    for size, x in zip(sizes, places, strict=True):
        low, high = (_y(end) for end in wilson(size.found, found.trials))
        parts.append(f'<line class="{shade} interval" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
    parts.append(f'<polyline class="{shade}" points="{points}"/>')
    return parts + [_marker(number, x, y) for x, y in zip(places, ys, strict=True)]


def _marker(number: int, x: float, y: float) -> str:
    shade, marker = f"s{number % _SHADES}", _MARKERS[number % len(_MARKERS)]
    if marker == "circle":
        return f'<circle class="{shade}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    if marker == "square":
        return f'<rect class="{shade}" x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>'
    corners = f"{x:.1f},{y - 4:.1f} {x + 4:.1f},{y + 3:.1f} {x - 4:.1f},{y + 3:.1f}"
    return f'<polygon class="{shade}" points="{corners}"/>'


def _key(number: int, count: int, contrast: float) -> list[str]:
    """The legend of a contrast's marker, below the axis."""
    columns = min(count, 5)
    x = 12 + (WIDTH - 24) / columns * (number % columns)
    y = HEIGHT - 18 + 14 * (number // columns)
    words = f"{contrast:g} grey levels" if columns <= 3 else f"{contrast:g}"
    return [_marker(number, x, y - 4), f'<text x="{x + 9:.1f}" y="{y}">{words}</text>']
