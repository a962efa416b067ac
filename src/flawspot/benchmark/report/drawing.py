"""How figures look, and how they become SVG and PNG: the same bytes for the same records, on any screen or paper."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from flawspot.benchmark.report.names import plain

INK, QUIET, FAINT, PAPER = "#1b1f27", "#5b6472", "#d9dde3", "#fefefe"
"""Text and axes, secondary text, grid lines, background. Each is used for nothing else: on the page they follow the
reader's light or dark scheme."""

_VARIABLES = {INK: "var(--ink)", QUIET: "var(--quiet)", FAINT: "var(--line)", PAPER: "var(--paper)"}
_VARIABLES["#0072b2"] = "var(--blue)"  # too dark for a dark page

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a folder's name is no formula
    "axes.edgecolor": QUIET,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "hatch.linewidth": 1.0,
}


Mark = tuple[Artist, str]
"""Something that is drawn, and what is to be read on it, in one or more lines."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Attributes:
        key: its name for links and files.
        title, caption: shown with it.
        notes: what is left out and why, a line each.
        svg: a file of its own.
        png: at 200 dots per inch.
        inline: the SVG for the page: colours by the page's variables, names that clash with no other figure's. Marks
            are of the class ``mark``, and the first of them can be reached by keyboard.
        width: in inches; a page narrower than that scrolls the figure.
    """

    key: str
    title: str
    caption: str
    notes: tuple[str, ...]
    svg: bytes
    png: bytes
    inline: str
    width: float


def draw(
    key: str,
    title: str,
    caption: str,
    size: tuple[float, float],
    paint: Callable[[Figure], Sequence[Mark] | None],
    *,
    description: str,
    notes: Sequence[str] = (),
) -> Drawing:
    """Draw a figure, without a window and without touching the settings of whoever calls.

    Args:
        key: of letters, digits and hyphens.
        title, caption, notes: for the page.
        size: in inches.
        paint: puts everything on the empty figure, and returns what can be pointed at, in the order of reading.
        description: what can be seen, for those who cannot see it.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": key}), warnings.catch_warnings():
        # A name in a script that the font lacks: a box in the PNG, and right in the SVG, whose text is text.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        marks = paint(figure) or ()
        for number, (artist, _) in enumerate(marks):
            artist.set_gid(f"mark-{number}")
        # One layout for both files: it is the dearest part.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
        figure.savefig(png, format="png", dpi=200, metadata={"Software": None})
    text = _titled(svg.getvalue().decode(), [told for _, told in marks])
    inline = _inline(text, key, description)
    return Drawing(key, title, caption, tuple(notes), text.encode(), png.getvalue(), inline, size[0])


def finish(axes: Axes, *, grid: str = "both") -> None:
    """Grid lines along one direction alone, or none."""
    axes.grid(False)
    if grid != "none":
        axes.grid(True, axis=grid)  # type: ignore[arg-type]
    axes.tick_params(length=3)


def luminance(colour: tuple[float, float, float]) -> float:
    """How bright a colour is, 0 to 1 (ITU-R BT.709, without undoing the gamma)."""
    red, green, blue = colour
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _titled(svg: str, told: Sequence[str]) -> str:
    """Each mark with its text, which browsers show when it is pointed at."""

    def titled(found: re.Match[str]) -> str:
        lines = told[int(found[1])].split("\n")
        return f"{found[0]}<title>{_escaped(chr(10).join(map(plain, lines)))}</title>"

    return re.sub(r'<g id="mark-(\d+)">', titled, svg)


def _escaped(text: str) -> str:
    return escape(text, {'"': "&quot;"})


def _inline(svg: str, key: str, description: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\bid=\"([^\"]*)\"", rf'id="{key}-\1"', svg)
    svg = re.sub(r"url\(#([^)]*)\)", rf"url(#{key}-\1)", svg)
    svg = re.sub(r"href=\"#([^\"]*)\"", rf'href="#{key}-\1"', svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    svg = svg.replace("'DejaVu Sans'", "inherit").replace("font-family: DejaVu Sans", "font-family: inherit")
    svg, marks = re.subn(rf'(<g id="{key}-mark-\d+")>', r'\1 class="mark" role="img" tabindex="-1">', svg)
    svg = svg.replace('tabindex="-1"', 'tabindex="0"', 1)
    role = "group" if marks else "img"  # of an image nothing inside can be reached
    return svg.replace("<svg ", f'<svg role="{role}" aria-label="{_escaped(plain(description))}" ', 1)
