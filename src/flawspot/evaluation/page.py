"""An evaluation as one HTML page that needs no network: rates by kind, and pictures of the wrong verdicts."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

from flawspot.data.samples import UNREAD
from flawspot.evaluation.outcomes import Kind, Outcome, by_kind, outcomes, wrong
from flawspot.evaluation.run import Evaluation
from flawspot.files import write_bytes
from flawspot.progress import SILENT, Progress
from flawspot.runtime.detector import Detector
from flawspot.runtime.pictures import html_figure, picture
from flawspot.texts import counted, visible

_SHOWN = 30
"""Most pictures of each kind of mistake."""
_SIDE = 900
_FIGURES = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "image_f1_max": "image F1-max",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "pixel_f1_max": "pixel F1-max",
    "pixel_aupro_normalized": "AUPRO",
}
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem 1.2rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
tr > :last-child { padding-right: 0; } td { white-space: nowrap; }
.names td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 5rem; }
.why { white-space: normal; color: #777; }
@media (max-width: 30rem) { table { font-size: .85rem; } th, td { padding-right: .5rem; } }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; } img { width: 100%; height: auto; }
figcaption { font-size: .85rem; } figcaption, li { overflow-wrap: anywhere; }
"""


def write_page(evaluation: Evaluation, detector: Detector, path: Path, *, progress: Progress = SILENT) -> None:
    """Write the page, completely or not at all.

    Args:
        evaluation: the evaluation of `detector`, which inspects the wrongly called photographs again for their
            pictures.
        detector: the detector that was evaluated.
        path: an .html file.
        progress: told of the pictures.

    Raises:
        FlawspotError: it cannot be written.
    """
    found = outcomes(evaluation)
    missed, alarms = wrong(found)
    title = html.escape(f"{evaluation.data.name}: {detector.manifest.title()}")
    metrics = evaluation.metrics
    figures = "".join(_figures(evaluation))
    kinds = "".join(map(_kind, by_kind(found)))
    reasons = [reason for _, reason in evaluation.skipped]
    reasons += [f"{unread}: {UNREAD}" for unread in evaluation.data.unread]
    unread = "".join(f"<li>{html.escape(visible(reason))}</li>" for reason in reasons)
    body = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>
<p>{counted(metrics.good_images, "good photograph")} and {metrics.defective_images:,} defective ones, at the threshold
{evaluation.threshold:.6g}. Intervals have 95 % confidence.</p>
<div class="wide"><table class="names">
<tr><th>kind</th><th>called anomalous</th><th>share</th><th>interval</th></tr>{kinds}</table></div>
<h2>At every threshold</h2>
<div class="wide"><table>{figures}</table></div>
{_mistakes("Missed: defective parts called good", missed, detector, progress)}
{_mistakes("False alarms: good parts called anomalous", alarms, detector, progress)}
{f"<h2>Not inspected</h2><ul>{unread}</ul>" if unread else ""}
</body></html>
"""
    write_bytes(path, body.encode())


def _figures(evaluation: Evaluation) -> Iterator[str]:
    """A row for each figure, or the reason why it is unknown."""
    values, reasons = evaluation.metrics.as_dict(), evaluation.undefined
    for key, name in _FIGURES.items():
        value = values[key]
        told = html.escape(f"unknown: {reasons[key]}") if value is None else f"{value:.4f}"
        yield f"<tr><td>{name}</td><td{' class=why' if value is None else ''}>{told}</td></tr>"


def _kind(kind: Kind) -> str:
    share = kind.anomalous / kind.total
    cells = (
        html.escape(kind.name if kind.is_defective else "good parts"),
        f"{kind.anomalous} of {kind.total}",
        f"{share:.3f}",
        f"{kind.low:.3f} to {kind.high:.3f}",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _mistakes(title: str, found: list[Outcome], detector: Detector, progress: Progress) -> str:
    heading = f"<h2>{title}: {len(found)}</h2>"
    figures = "".join(_figure(each, detector) for each in progress.track(found[:_SHOWN], "drawing pictures"))
    more = f"<p>and {len(found) - _SHOWN} more</p>" if len(found) > _SHOWN else ""
    return heading + (f'<div class="pictures">{figures}</div>' if figures else "") + more


def _figure(each: Outcome, detector: Detector) -> str:
    photograph = detector.read(each.path)
    drawn = picture(photograph.drawable(), detector.predict(photograph))
    caption = f"{each.name} ({each.kind}): score {each.score:.5g}"
    return html_figure(drawn, caption, side=_SIDE, quality=85)
