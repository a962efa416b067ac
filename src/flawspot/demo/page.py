"""The results of the demo: a few figures, and the summary as one page."""

from __future__ import annotations

import html
from pathlib import Path

from flawspot.metrics import Metrics
from flawspot.runtime.manifest import Manifest

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td { padding: .2rem 1.5rem .2rem 0; border-bottom: 1px solid #e3e6ea; }
td:last-child { font-variant-numeric: tabular-nums; } img { max-width: 100%; height: auto; }
pre { background: #f4f5f7; padding: .8rem 1rem; overflow-x: auto; border-radius: 4px; }
"""


def figures(metrics: Metrics) -> list[tuple[str, str]]:
    """Names and values that a demo shows of its detector."""

    def shown(value: float | None) -> str:
        return "undefined" if value is None else f"{value:.3f}"

    return [
        ("test photographs", f"{metrics.good_images} good, {metrics.defective_images} defective"),
        ("image AUROC", shown(metrics.image_auroc)),
        ("pixel AUROC", shown(metrics.pixel_auroc)),
        ("pixel F1-max", shown(metrics.pixel_f1_max)),
        ("defective parts found (recall)", shown(metrics.image_recall)),
        ("good parts called anomalous", shown(metrics.image_false_alarm_rate)),
    ]


def page(product: str, file: Path, manifest: Manifest, metrics: Metrics) -> str:
    """The summary as one HTML page beside its pictures. It needs no network."""
    training, calibration = manifest.training, manifest.calibration
    facts = [
        ("method", f"{manifest.method} on {manifest.backbone.name}, layers {list(manifest.backbone.taps)}"),
        (
            "photographs of good parts",
            f"{training.images} to learn from, {training.validation_images} to choose the epoch, "
            f"{len(calibration.scores)} for the threshold",
        ),
        ("artifact", f"{file.name}, {file.stat().st_size / 2**20:.1f} MiB"),
        ("multiply-accumulates", f"{sum(p.macs for p in manifest.parts) / 1e6:.0f} million a photograph"),
        ("training", f"{sum(training.seconds.values()):.0f} seconds"),
        ("false-alarm rate promised", f"{calibration.promised_rate:.2g}"),
        *figures(metrics),
    ]
    rows = "\n".join(f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td></tr>" for a, b in facts)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>flawspot demo: {html.escape(product)}</title><style>{_STYLE}</style></head><body>
<h1>flawspot demo: {html.escape(product)}</h1>
<p>The photographs are synthetic. The detector has seen only good parts. The figures are from test photographs that
were used for nothing else.</p>
<table>{rows}</table>
<h2>What it found</h2>
<p>On the left is the photograph, on the right its heat map. The outline is where the map is above the threshold.</p>
<img src="pictures.png" alt="Test photographs beside their heat maps">
<h2>With your own photographs</h2>
<pre>flawspot train FOLDER_OF_GOOD_PARTS -o part.onnx
flawspot predict part.onnx NEW_PHOTOGRAPHS --out found</pre>
</body></html>
"""
