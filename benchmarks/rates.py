"""Measure the false-alarm rate that is got for the one that is asked, and print a section for docs/results.md.

    python benchmarks/rates.py --data DATA --work FOLDER [--draws 20] [--methods padim patchcore] [--products ...]

DATA holds mvtec_ad/bottle, mvtec_ad/pill and magnetic_tile. Of the good training photographs some are drawn, as a user
would have them; the detector learns from these alone, with one calibration and another. New good photographs are the
test set's and training photographs that were not drawn; defects are the test set's. Every draw is a line of
FOLDER/rates.jsonl, so that it goes on where it was ended; the table is made of what is there.

The scores are those of the heads on cached features, as in the calibration itself. What could have been had is the
recall of the lowest threshold at which no more of the new good photographs are called anomalous than was asked.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows
from numpy.typing import NDArray

from flawspot.data.folders import fingerprint, open_folder
from flawspot.data.looking import look
from flawspot.data.near_duplicates import near_duplicates
from flawspot.methods.features import FeatureSet
from flawspot.runtime.calibration import calibrate
from flawspot.training.calibration import cross_scores, scores_of
from flawspot.training.configuration import Configuration, configure
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.feature_source import FeatureSource
from flawspot.training.photographs import Division, Photographs, divide

PRODUCTS = ("mvtec_ad/bottle", "mvtec_ad/pill", "magnetic_tile")
COUNTS = (10, 25, 50, 100)
RATES = (0.01, 0.02, 0.05, 0.1)
MOST = 60
"""New good and defective photographs that a draw is measured on, of each."""

Rows = NDArray[np.int64]


@dataclasses.dataclass
class Product:
    """All photographs of a product, with their features."""

    name: str
    chosen: Configuration
    features: FeatureSet
    images: tuple[Path, ...]
    root: Path
    descriptors: NDArray[np.float32]
    train: Rows
    new_good: Rows
    defective: Rows

    def draw(self, count: int, seed: int) -> tuple[Rows, Rows, Rows]:
        """Photographs to learn from, new good ones, defective ones."""
        generator = np.random.default_rng([seed, count])
        drawn = np.sort(generator.choice(self.train, count, replace=False))
        rest = generator.permutation(np.setdiff1d(self.train, drawn))
        good = np.concatenate([self.new_good, rest])[:MOST]
        return drawn, good, generator.permutation(self.defective)[:MOST]


def open_product(name: str, method: str, options: argparse.Namespace) -> Product:
    """Features of every photograph, from the cache or computed once."""
    root = options.data / name
    folder = open_folder(root)
    images = (*folder.train, *(sample.path for sample in folder.test))
    chosen = configure(
        method=method,
        settings=None,
        backbone="mobilenet_v2",
        layers=None,
        weights=None,
        random_weights=False,
        size=(224, 224),
        normalization="weights",
        precision="float32",
        seed=0,
    )
    source = FeatureSource(
        images, root, fingerprint(images, root), chosen.weights_identity, chosen.view, chosen.mean, chosen.std
    )
    maps = FeatureCache(options.work / "features", dtype="float16").maps(source, chosen.network)
    kind = np.array([0] * len(folder.train) + [2 if sample.is_defective else 1 for sample in folder.test])
    return Product(
        name,
        chosen,
        FeatureSet(chosen.network, chosen.taps, (224, 224), maps),
        images,
        root,
        np.array([look(path).descriptor for path in folder.train]),
        *(np.flatnonzero(kind == value) for value in range(3)),
    )


def measure(product: Product, count: int, draw: int) -> Iterator[dict[str, Any]]:
    """One draw: both calibrations, and the smooth tail."""
    drawn, good, bad = product.draw(count, draw)
    method, view = product.chosen.method, product.chosen.view
    groups = near_duplicates(product.descriptors[drawn])
    features = dataclasses.replace(product.features, rows=drawn)
    for calibration in ("split", "cross"):
        division = divide(groups, Division(calibration), method)
        photographs = Photographs(
            product.name, product.root, tuple(product.images[row] for row in drawn), (), "", groups, *division
        )
        fitted = dataclasses.replace(method)
        fitted.fit(dataclasses.replace(features, rows=drawn[photographs.fit]))
        if calibration == "cross":
            scores, rows = cross_scores(method, features, photographs, view).as_taken, np.arange(count)
        else:
            rows = photographs.calibration
            scores = scores_of(fitted, dataclasses.replace(features, rows=drawn[rows]), view).tolist()
        new = {
            name: scores_of(fitted, dataclasses.replace(features, rows=r), view)
            for name, r in (("g", good), ("b", bad))
        }
        for rule in ("conformal", "pareto") if calibration == "cross" and count >= 25 else ("conformal",):
            for rate in RATES:
                made = calibrate(scores, rate, groups=groups[rows].tolist(), rule=rule)
                best = np.sort(new["g"])[::-1][int(rate * len(good))]
                yield {
                    "product": product.name,
                    "method": method.name,
                    "images": count,
                    "draw": draw,
                    "calibration": calibration if rule == "conformal" else rule,
                    "rate": rate,
                    "got": float((new["g"] > made.threshold).mean()),
                    "recall": float((new["b"] > made.threshold).mean()),
                    "attainable": float((new["b"] > best).mean()),
                }


def table(lines: list[dict[str, Any]]) -> str:
    """Means over the draws, one line for each product, method and number of photographs."""
    out = [
        "| product | method | photographs | calibration | " + " | ".join(f"asked {rate}" for rate in RATES) + " |",
        "|:--|:--|--:|:--|" + ":--|" * len(RATES),
    ]
    keys = dict.fromkeys((x["product"], x["method"], x["images"], x["calibration"]) for x in lines)
    for product, method, images, calibration in keys:
        cells = []
        for rate in RATES:
            own = [
                x
                for x in lines
                if (x["product"], x["method"], x["images"], x["calibration"], x["rate"])
                == (product, method, images, calibration, rate)
            ]
            got, recall, best = (statistics.fmean(x[key] for x in own) for key in ("got", "recall", "attainable"))
            cells.append(f"{got:.3f}, {recall:.2f} of {best:.2f}")
        out.append(f"| {product.split('/')[-1]} | {method} | {images} | {calibration} | " + " | ".join(cells) + " |")
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--methods", nargs="+", default=["padim", "patchcore"])
    parser.add_argument("--products", nargs="+", default=list(PRODUCTS))
    parser.add_argument("--counts", nargs="+", type=int, default=list(COUNTS))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    kept = KeptRows(options.work / "rates.jsonl")
    done = {(x["product"], x["method"], x["images"], x["draw"]) for x in kept.rows}
    for method in options.methods:
        for name in options.products:
            product = open_product(name, method, options)
            for count in options.counts:
                for draw in range(options.draws):
                    if (name, method, count, draw) in done:
                        continue
                    kept.add(*measure(product, count, draw))
    print(table(kept.rows))


if __name__ == "__main__":
    main()
