"""A choice as one HTML page that needs no network: the front, the table, and marked defects."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.choosing.budget import bytes_text, macs_text
from flawspot.choosing.candidates import name_of
from flawspot.choosing.choice import Choice, Judged
from flawspot.choosing.front import COLOURS, DARK, STYLE, front
from flawspot.choosing.judge import held_out, pasted
from flawspot.data.folders import ImageFolder
from flawspot.data.judged_defects import KINDS
from flawspot.files import write_bytes
from flawspot.progress import SILENT, Progress
from flawspot.runtime.detector import load
from flawspot.runtime.pictures import html_figure, picture
from flawspot.texts import counted, visible

_SIDE = 900
_SHRUNK = 640
"""Longer side of the pictures, in pixels."""
_STYLE = f"""
:root {{ color-scheme: light dark; {COLOURS} }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; overflow-wrap: anywhere; }} h2 {{ font-size: 1.15rem; margin: 2rem 0 .5rem; }}
p, li {{ overflow-wrap: anywhere; }}
.fronts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1.5rem; }}
svg {{ width: 100%; height: auto; display: block; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }}
th, td {{ text-align: right; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #8884; white-space: nowrap; }}
th:nth-child(2), td:nth-child(2), th:last-child, td:last-child {{ text-align: left; }}
.chosen {{ font-weight: 600; }}
.pictures {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1rem; }}
figure {{ margin: 0; }} img {{ width: 100%; height: auto; }} figcaption {{ font-size: .85rem; }}
{STYLE}"""
_HEADINGS = (
    *("", "detector", "rank", "image AUROC", "pixel F1-max", "pixel AP", "AUPRO"),
    *("memory", "MACs", "ms here", "working memory", ""),
)


def write_page(choice: Choice, folder: ImageFolder, path: Path, *, progress: Progress = SILENT) -> None:
    """Write the page, completely or not at all.

    Args:
        choice: the result of `flawspot.choose`.
        folder: its photographs. The chosen detector is shown on some of them with pasted defects.
        path: an .html file.
        progress: told of the pictures.

    Raises:
        FlawspotError: it cannot be written.
    """
    heading = html.escape(f"The right detector for {visible(folder.name)}: {choice.best.name}")
    said = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences(choice))
    rows = "".join(_row(number, one, one is choice.best) for number, one in enumerate(choice.judged, 1))
    head = "".join(f"<th>{text}</th>" for text in _HEADINGS)
    figures = "".join(_pictures(choice, folder, progress))
    body = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title><style>{_STYLE}</style></head><body>
<h1>{heading}</h1>
<ul>{said}</ul>
<div class="fronts"><div>{front(choice, "memory")}</div><div>{front(choice, "macs")}</div></div>
<p>The line joins the detectors that no other of the same or lower cost beats. Numbers are those of the table.
The largest point is the chosen one. Hollow points were trained and exceed the budget.</p>
<h2>All judged detectors</h2>
<div class="wide"><table><tr>{head}</tr>{rows}</table></div>
{_left_out(choice)}
<h2>Pasted defects, and what the chosen detector marks</h2>
<p>Each is a good photograph that it has not learned from, with a defect of a kind that it was judged by.</p>
<div class="pictures">{figures}</div>
</body></html>
"""
    write_bytes(path, body.encode())


def sentences(choice: Choice) -> list[str]:
    """The chosen detector and the reasons, one line each."""
    best, metrics = choice.best, choice.best.record.metrics
    judged = int(best.record.measured["judged_photographs"])
    defects = int(best.record.measured["judged_defects"])
    said = [
        f"{best.name} was chosen of {counted(len(choice.judged), 'detector')}: {bytes_text(best.record.bytes)}, "
        f"{macs_text(best.record.macs)} multiply-accumulates, {best.latency_ms:.3g} ms for a photograph on this "
        f"machine by one thread; allowed: {choice.budget.said()}.",
        f"It was {choice.about}: {best.rank:.3f}, of image AUROC {_figure(metrics['image_auroc'])} and pixel F1-max "
        f"{_figure(metrics['pixel_f1_max'])}.",
        f"Judged on {counted(judged, 'good photograph')} that no candidate has learned from, and on {defects} copies "
        "of them with pasted defects. Real defects are different: these figures show which detector finds more, not "
        "how much it will find.",
    ]
    tolerated = best.record.cell.tolerate
    if tolerated is not None:
        said.append(
            f"It tolerates {tolerated}. It was judged on unchanged photographs, so these figures do not show the gain "
            "on varied ones."
        )
    others = [one for one in choice.judged[1:] if one.why_not is None]
    if others:
        said.append(f"The next best is {others[0].name}, {best.rank - others[0].rank:.3f} behind.")
    cheaper = [one for one in choice.front("memory") if one.record.bytes <= best.record.bytes / 2]
    if cheaper:
        one = cheaper[-1]
        said.append(
            f"With half the memory or less, {one.name} reaches {one.rank:.3f} with {bytes_text(one.record.bytes)}."
        )
    if choice.late:
        said.append(f"Left out because there was no time: {', '.join(one.name for one in choice.late)}.")
    return said


def _row(number: int, one: Judged, is_best: bool) -> str:
    metrics = one.record.metrics
    figures = (metrics[name] for name in ("image_auroc", "pixel_f1_max", "pixel_ap", "pixel_aupro_normalized"))
    cells = (
        str(number),
        html.escape(one.name),
        f"{one.rank:.3f}",
        *map(_figure, figures),
        bytes_text(one.record.bytes),
        macs_text(one.record.macs),
        f"{one.latency_ms:.1f}",
        "" if one.arena is None else bytes_text(one.arena),
        "chosen" if is_best else html.escape(one.why_not or ""),
    )
    chosen = ' class="chosen"' if is_best else ""
    return f"<tr{chosen}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _left_out(choice: Choice) -> str:
    failed = [(name_of(record.cell), record.error or "failed") for record in choice.failed]
    listed = [(one.name, one.why_not or "") for one in choice.unfit] + failed
    if not listed:
        return ""
    items = "".join(f"<li>{html.escape(name)}: {html.escape(why)}</li>" for name, why in listed)
    return f"<h2>Not trained, or failed: {len(listed)}</h2><ul>{items}</ul>"


def _pictures(choice: Choice, folder: ImageFolder, progress: Progress) -> Iterator[str]:
    """Pictures with one defect of each kind, each in another photograph."""
    detector = load(choice.artifact)
    wanted = list(KINDS)
    shown = pasted(
        held_out(detector, folder),
        seed=choice.best.record.cell.seed,
        white=detector.manifest.white,
        view_of=detector,
        defects=len(wanted),
        most=len(wanted),
    )
    for image, mask, kind in progress.track(shown, "drawing pictures"):
        if kind not in wanted:
            continue
        wanted.remove(kind)
        prediction = detector.predict(image, keep_image=False)
        drawn = picture(_with_outline(image, mask), prediction)
        caption = f"{kind}: called {prediction.verdict}, severity {prediction.severity_text}"
        yield html_figure(drawn, caption, side=_SIDE, quality=85)


def _with_outline(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A small copy with a green line around the pixels of the mask."""
    scale = min(_SHRUNK / max(image.shape[:2]), 1.0)
    size = (max(round(scale * image.shape[1]), 1), max(round(scale * image.shape[0]), 1))
    small = np.array(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    inside = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) > 0
    grown = np.zeros_like(inside)
    for down, across in ((-2, 0), (2, 0), (0, -2), (0, 2), (1, 1), (-1, -1), (1, -1), (-1, 1)):
        grown |= np.roll(inside, (down, across), (0, 1))
    small[grown & ~inside] = (40, 200, 80)
    return small


def _figure(value: float | int | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
