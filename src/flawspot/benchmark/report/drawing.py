"""The style of figures, and their SVG and PNG. The same records give the same bytes."""

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
"""Colours of text and axes, secondary text, grid lines, and background. On the page they follow the reader's light or
dark scheme, so each is used for nothing else."""

_VARIABLES = {INK: "var(--ink)", QUIET: "var(--quiet)", FAINT: "var(--line)", PAPER: "var(--paper)"}
_VARIABLES["#0072b2"] = "var(--blue)"  # too dark for a dark page

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a folder's name does not start a formula
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
"""A drawn object and its tooltip, of one or more lines."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Attributes:
        key: name for links and files.
        title, caption: texts shown with the figure.
        notes: a line for each thing that is left out, with the reason.
        svg: the figure as a standalone file.
        png: the figure at 200 dots per inch.
        inline: the SVG for the page. Its colours are the page's variables, and its names are unique on the page. Marks
            have the class ``mark``, and the first one can be reached by keyboard.
        width: in inches. On a narrower page the figure scrolls.
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
    """Draw a figure, without a window and without changing the caller's settings of matplotlib.

    Args:
        key: name of letters, digits and hyphens.
        title, caption, notes: texts for the page.
        size: in inches.
        paint: draws on the empty figure, and returns the marks with tooltips, in the order of reading.
        description: a text for readers who cannot see the figure.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": key}), warnings.catch_warnings():
        # The font may lack a name's script. Then the PNG has boxes; the SVG is right, since it stores text as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        marks = paint(figure) or ()
        for number, (artist, _) in enumerate(marks):
            artist.set_gid(f"mark-{number}")
        # One layout for both files, because it takes the most time.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
        figure.savefig(png, format="png", dpi=200, metadata={"Software": None})
    text = _titled(svg.getvalue().decode(), [told for _, told in marks])
    inline = _inline(text, key, description)
    return Drawing(key, title, caption, tuple(notes), text.encode(), png.getvalue(), inline, size[0])


def finish(axes: Axes, *, grid: str = "both") -> None:
    """Draw grid lines for both axes, for one of them, or none."""
    axes.grid(False)
    if grid != "none":
        axes.grid(True, axis=grid)  # type: ignore[arg-type]
    axes.tick_params(length=3)


def luminance(colour: tuple[float, float, float]) -> float:
    """Brightness of a colour, 0 to 1 (ITU-R BT.709, without undoing the gamma)."""
    red, green, blue = colour
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _titled(svg: str, told: Sequence[str]) -> str:
    """The SVG with a text for each mark, which browsers show as a tooltip."""

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
    role = "group" if marks else "img"  # nothing inside an image can be reached
    return svg.replace("<svg ", f'<svg role="{role}" aria-label="{_escaped(plain(description))}" ', 1)
