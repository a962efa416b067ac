"""``flawspot demo``: the whole job on photographs that flawspot makes itself."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli.console import TerminalProgress, out, print_json

if TYPE_CHECKING:
    from flawspot.data.folders import Sample
    from flawspot.metrics import Metrics
    from flawspot.runtime.manifest import Manifest

PICTURES_PER_DEFECT = 2


def demo(
    output: Annotated[Path, typer.Option("--out", help="The folder to work in.")] = Path("demo"),
    product: Annotated[str | None, typer.Option(help="Which product of the demo set. Default: the second.")] = None,
    method: Annotated[str, typer.Option(help="`flawspot methods` lists them.")] = "paste",
    seed: Annotated[int, typer.Option(help="Of the photographs and of training.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a synthetic product set, train on it, evaluate, and draw what was found."""
    from flawspot.data.demo_set import PRODUCTS, make_demo_set
    from flawspot.data.folders import open_folder
    from flawspot.errors import ConfigurationError
    from flawspot.evaluation import evaluate
    from flawspot.files import write_bytes
    from flawspot.runtime.detector import load
    from flawspot.runtime.images import read_image
    from flawspot.runtime.overlay import contact_sheet
    from flawspot.runtime.pictures import picture, write_picture
    from flawspot.training.road import train

    product = product or PRODUCTS[1]
    if product not in PRODUCTS:
        raise ConfigurationError(f"unknown product {product!r}: the demo set has {', '.join(PRODUCTS)}")
    progress = TerminalProgress()
    if not as_json:
        out.print(f"making the demo set in {output / 'data'}: {', '.join(PRODUCTS)}")
    make_demo_set(output / "data", seed=seed, progress=progress)
    folder = open_folder(output / "data" / product)
    file = output / f"{product}-{method}.onnx"
    if not as_json:
        out.print(f"training {method} on {len(folder.train)} photographs of good parts of {product}")
    artifact = train(folder, method=method, output=file, seed=seed, progress=progress)
    detector = load(file)
    metrics = evaluate(detector, folder, progress=progress).metrics

    shown: dict[str, list[Sample]] = {}
    for sample in folder.test:
        shown.setdefault(sample.defect or "good", []).append(sample)
    pictures = []
    for kind, samples in shown.items():
        for sample in samples[:PICTURES_PER_DEFECT]:
            image = read_image(sample.path)
            drawn = picture(image, detector.predict(image))
            write_picture(output / "pictures" / kind / f"{sample.path.stem}.png", drawn)
            pictures.append(drawn)
    write_picture(output / "pictures.png", contact_sheet(pictures, PICTURES_PER_DEFECT))
    summary = output / "summary.html"
    write_bytes(summary, _page(product, file, artifact.manifest, metrics).encode())

    if as_json:
        print_json({"artifact": str(file), "summary": str(summary), **metrics.as_dict()})
        return
    for name, value in _figures(metrics):
        out.print(f"  {name:<34} {value}")
    out.print(f"the detector:  {file}\npictures:      {output / 'pictures'}\nthe summary:   {summary}")
    out.print(f"next:          flawspot predict {file} YOUR_PHOTOGRAPHS --out found")


def _figures(metrics: Metrics) -> list[tuple[str, str]]:
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


_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td { padding: .2rem 1.5rem .2rem 0; border-bottom: 1px solid #e3e6ea; }
td:last-child { font-variant-numeric: tabular-nums; } img { max-width: 100%; height: auto; }
pre { background: #f4f5f7; padding: .8rem 1rem; overflow-x: auto; border-radius: 4px; }
"""


def _page(product: str, file: Path, manifest: Manifest, metrics: Metrics) -> str:
    """The summary as one HTML page beside its pictures; needs no network."""
    training, calibration = manifest.training, manifest.calibration
    facts = [
        ("method", f"{manifest.method} on {manifest.backbone.name}, layers {list(manifest.backbone.taps)}"),
        (
            "photographs of good parts",
            f"{training.images} to learn from, {training.validation_images} to choose the epoch, "
            f"{training.calibration_images} for the threshold",
        ),
        ("artifact", f"{file.name}, {file.stat().st_size / 2**20:.1f} MiB"),
        ("multiply-accumulates", f"{sum(p.macs for p in manifest.parts) / 1e6:.0f} million a photograph"),
        ("training", f"{sum(training.seconds.values()):.0f} seconds"),
        ("false-alarm rate promised", f"{calibration.promised_rate:.2g}"),
        *_figures(metrics),
    ]
    rows = "\n".join(f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td></tr>" for a, b in facts)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>flawspot demo: {html.escape(product)}</title><style>{_STYLE}</style></head><body>
<h1>flawspot demo: {html.escape(product)}</h1>
<p>The photographs are synthetic. The detector has seen good parts only; the figures are from test photographs that
served for nothing else.</p>
<table>{rows}</table>
<h2>What it found</h2>
<p>Left the photograph, right where it is anomalous; the outline is where the map is above what good parts reach.</p>
<img src="pictures.png" alt="Test photographs beside their heat maps">
<h2>With your own photographs</h2>
<pre>flawspot train FOLDER_OF_GOOD_PARTS -o part.onnx
flawspot predict part.onnx NEW_PHOTOGRAPHS --out found</pre>
</body></html>
"""
