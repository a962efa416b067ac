"""The findings about a set of photographs as one HTML page that needs no network."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from flawspot.checking.check import Check
from flawspot.data.findings import Finding
from flawspot.data.looking import white_of
from flawspot.files import write_bytes
from flawspot.runtime.pictures import html_figure
from flawspot.runtime.reduced import read_photograph
from flawspot.texts import counted

_SIDE = 220
_SHOWN = 24
"""Most pictures for one finding."""
_USUAL = 8
"""Number of photographs that show the usual appearance."""
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } h1, h2 { overflow-wrap: anywhere; }
.problem { color: #c62828; } .remark { color: #777; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: .8rem; }
figure { margin: 0; } img { width: 100%; height: 9rem; object-fit: contain; background: #8882; }
figcaption { font-size: .8rem; overflow-wrap: anywhere; }
"""


def write_page(checked: Check, path: Path) -> None:
    """Write the page, completely or not at all.

    Raises:
        FlawspotError: it cannot be written.
    """
    names = checked.names()
    count, shown = counted(len(checked.images), "photograph"), counted(checked.parts, "part")
    title = html.escape(f"{checked.data.name}: {count} of {shown}")
    usual = range(0, len(names), max(len(names) // _USUAL, 1))
    sections = "\n".join(_section(checked, names, finding) for finding in checked.findings)
    remarks = counted(len(checked.findings) - checked.problems, "remark")
    nothing = "" if checked.findings else "<p>There are no findings.</p>"
    body = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>
<p>{counted(checked.problems, "problem")}, {remarks}. The detector would learn from photographs like these:</p>
{_pictures(checked, names, list(usual)[:_USUAL])}
{sections}{nothing}
</body></html>
"""
    write_bytes(path, body.encode())


def _section(checked: Check, names: Sequence[str], finding: Finding) -> str:
    kind = "problem" if finding.is_problem else "remark"
    more = len(finding.rows) - _SHOWN
    rest = f"<p>and {more} more</p>" if more > 0 else ""
    heading = f'<h2><span class="{kind}">{kind}</span> {html.escape(finding.line(names))}</h2>'
    return heading + _pictures(checked, names, finding.rows[:_SHOWN]) + rest


def _pictures(checked: Check, names: Sequence[str], rows: Sequence[int]) -> str:
    white = white_of(checked.looks)
    figures = "".join(
        html_figure(
            Image.fromarray(read_photograph(checked.images[row], _SIDE, white=white).drawable()),
            names[row],
            side=2 * _SIDE,
            quality=80,
        )
        for row in rows
    )
    return f'<div class="pictures">{figures}</div>' if figures else ""
