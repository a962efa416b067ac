"""The result on pasted defects as one HTML page that needs no network: sentences, curves and pictures."""

from __future__ import annotations

import html
from pathlib import Path

from flawspot.files import write_bytes
from flawspot.runtime.found_sizes import KINDS, FoundSize
from flawspot.runtime.pictures import html_figure
from flawspot.smallest.curves import COLOURS, DARK, STYLE, curve
from flawspot.smallest.measure import SmallestDefect
from flawspot.smallest.sentences import NAMES, about, cell_of, size_of
from flawspot.smallest.trying import Example

_SIDE = 240
_STYLE = f"""
:root {{ color-scheme: light dark; {COLOURS} }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; overflow-wrap: anywhere; }} h2 {{ font-size: 1.15rem; margin: 2rem 0 .5rem; }}
p, li {{ overflow-wrap: anywhere; }}
.kinds {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1.5rem; }}
svg {{ width: 100%; height: auto; display: block; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }}
th, td {{ text-align: right; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #8884; white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; }}
.pictures {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); gap: .8rem; }}
figure {{ margin: 0; }} img {{ width: 100%; height: auto; }} figcaption {{ font-size: .8rem; }}
{STYLE}"""


def write_page(measured: SmallestDefect, title: str, path: Path) -> None:
    """Write the page, completely or not at all.

    Args:
        measured: the result of `flawspot.smallest_defect`.
        title: description of the detector.
        path: an .html file.

    Raises:
        FlawspotError: it cannot be written.
    """
    found = measured.found
    kinds = [kind for kind in KINDS if any(size.kind == kind for size in found.sizes)]
    heading = html.escape(f"How small a defect is found: {title}")
    said = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in measured.sentences())
    charts = "".join(f"<div>{curve(found, kind)}</div>" for kind in kinds)
    sections = "".join(_section(measured, kind) for kind in kinds)
    body = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title><style>{_STYLE}</style></head><body>
<h1>{heading}</h1>
<p>Measured on {html.escape(about(found))}. Real defects differ in more than size and contrast.
Intervals have 95 % confidence. The dashed line is {found.share:.0%}.</p>
<ul>{said}</ul>
<div class="kinds">{charts}</div>
{sections}
</body></html>
"""
    write_bytes(path, body.encode())


def _section(measured: SmallestDefect, kind: str) -> str:
    found = measured.found
    curves = {contrast: sizes for (of, contrast), sizes in found.curves().items() if of == kind}
    head = "".join(f"<th>{contrast:g}</th>" for contrast in curves)
    rows = "".join(
        f"<tr><td>{size_of(row[0])}</td>{''.join(f'<td>{cell_of(size, found.trials)}</td>' for size in row)}</tr>"
        for row in zip(*curves.values(), strict=True)
    )
    examples = [example for example in measured.examples if example.key[0] == kind]
    figures = "".join(_figure(example) for example in examples)
    shown = ""
    if examples:
        shown = (
            f"<p>One of each size, at {examples[0].key[3]:g} grey levels, and whether it was found:</p>"
            f'<div class="pictures">{figures}</div>'
        )
    return (
        f"<h2>{NAMES[kind].capitalize()}</h2><p>Found of {found.trials} (95 % interval), by contrast:</p>"
        f'<div class="wide"><table><tr><th>pixels</th>{head}</tr>{rows}</table></div>{shown}'
    )


def _figure(example: Example) -> str:
    size = FoundSize(*example.key, 0)
    caption = f"{size_of(size)}: {'found' if example.is_found else 'not found'}"
    return html_figure(example.picture.copy(), caption, side=_SIDE, quality=90)
