"""Makes a product set, trains on it, evaluates, and draws the results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flawspot.data.demo_set import PRODUCTS, make_demo_set
from flawspot.data.folders import ImageFolder, Sample, open_folder
from flawspot.demo.page import page
from flawspot.errors import ConfigurationError
from flawspot.evaluation import evaluate
from flawspot.files import write_bytes
from flawspot.metrics import Metrics
from flawspot.progress import SILENT, Progress
from flawspot.runtime.detector import Detector, load
from flawspot.runtime.overlay import contact_sheet
from flawspot.runtime.pictures import write_picture
from flawspot.training.road import train

if TYPE_CHECKING:
    from PIL import Image

PICTURES_PER_DEFECT = 2


@dataclass(frozen=True)
class Demo:
    """The files of a demo, and the figures of its detector.

    Attributes:
        artifact: the detector's file.
        pictures: the folder of pictures.
        summary: the page.
        metrics: metrics on the test photographs.
    """

    artifact: Path
    pictures: Path
    summary: Path
    metrics: Metrics


def run_demo(
    output: Path,
    *,
    product: str | None = None,
    method: str = "paste",
    seed: int = 0,
    say: Callable[[str], object] = lambda _: None,
    progress: Progress = SILENT,
) -> Demo:
    """Run the demo in the folder `output`.

    Args:
        output: folder of the demo; created if missing.
        product: a product of the demo set; None takes the second.
        method: a method's name.
        seed: seed of the photographs and of training.
        say: called with a line about each beginning step.
        progress: told of each step.

    Raises:
        ConfigurationError: an unknown product or method.
        DataError: `output` holds other files where the photographs belong.
        WeightsError: the backbone's weights are missing.
        FlawspotError: a file cannot be written.
    """
    product = product or PRODUCTS[1]
    if product not in PRODUCTS:
        raise ConfigurationError(f"unknown product {product!r}: the demo set has {', '.join(PRODUCTS)}")
    say(f"making the demo set in {output / 'data'}: {', '.join(PRODUCTS)}")
    make_demo_set(output / "data", seed=seed, progress=progress)
    folder = open_folder(output / "data" / product)
    file, pictures, summary = output / f"{product}-{method}.onnx", output / "pictures", output / "summary.html"
    say(f"training {method} on {len(folder.train)} photographs of good parts of {product}")
    manifest = train(folder, method=method, output=file, seed=seed, progress=progress).manifest
    detector = load(file)
    metrics = evaluate(detector, folder, progress=progress).metrics
    drawn = _draw(detector, folder, pictures)
    write_picture(output / "pictures.png", contact_sheet(drawn, PICTURES_PER_DEFECT))
    write_bytes(summary, page(product, file, manifest, metrics).encode())
    return Demo(file, pictures, summary, metrics)


def _draw(detector: Detector, folder: ImageFolder, pictures: Path) -> list[Image.Image]:
    """Draw some predicted photographs of each kind, and write them to the folder `pictures` too."""
    kinds: dict[str, list[Sample]] = {}
    for sample in folder.test:
        kinds.setdefault(sample.defect or "good", []).append(sample)
    drawn = []
    for kind, samples in kinds.items():
        for sample in samples[:PICTURES_PER_DEFECT]:
            picture = detector.predict(sample.path).plot()
            write_picture(pictures / kind / f"{sample.path.stem}.png", picture)
            drawn.append(picture)
    return drawn
