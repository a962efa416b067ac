"""Compares rules that combine a jury's maps, on the maps of detectors that were trained separately.

    flawspot benchmark run benchmarks/jury.yaml --store runs.sqlite ...
    python benchmarks/rules.py runs.sqlite --data mvtec_ad=FOLDER/mvtec_ad --data magnetic_tile=FOLDER/magnetic_tile

The members of a set and seed are the detectors of the labels given. Their maps are brought to one scale by the good
photographs that set their thresholds. Besides the rules of
`flawspot.methods.jury.combining` there is Fisher's rule with weights. These are chosen by pixel AP on a second family
of pasted defects, or are the members' agreement with each other. Real test photographs are used only for the table.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from judge import product
from numpy.typing import NDArray

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.store import Store
from flawspot.choosing.judge import held_out, looked_at
from flawspot.data.folders import ImageFolder
from flawspot.data.masks import read_sample_mask
from flawspot.data.reading import at_centres
from flawspot.methods.jury.combining import RULES, Combination
from flawspot.methods.jury.scales import scale_of
from flawspot.metrics import rank_pixels, rank_scores
from flawspot.progress.display import DISPLAY
from flawspot.runtime.detector import Detector, load

MEMBERS = ("patchcore std 4000", "pasted", "stfpm, stages")
WEIGHTS = (0.2, 0.5, 1.0, 2.0, 5.0)
_STRIDE = 4
"""Of pixels on which weights are chosen."""
Maps = NDArray[np.float32]


def main() -> None:
    """Print a line for each rule, set and seed, and how far each is from the best member."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--data", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--members", nargs="+", default=MEMBERS, help="labels of detectors in the store")
    arguments = parser.parse_args()
    places = dict(text.split("=", 1) for text in arguments.data)
    with Store(arguments.store, create=False) as opened:
        records = [r for r in opened.records() if r.status == DONE and r.cell.label in arguments.members]
        folder = opened.folder
    groups: dict[tuple[str, str, int], dict[str, Record]] = {}
    for record in records:
        if record.cell.data in places:
            key = (record.cell.data, record.cell.category, record.cell.seed)
            groups.setdefault(key, {})[record.cell.label] = record
    print("| set | seed | rule | pixel F1-max | image AUROC | pixel AP | AUPRO / 0.3 | against the best member |")
    print("|:--|--:|:--|--:|--:|--:|--:|:--|")
    differences: dict[str, list[NDArray[np.float64]]] = {}
    for (data, category, seed), members in DISPLAY.track(groups.items(), "combining", len(groups)):
        if len(members) < len(arguments.members):
            continue
        chosen = [members[label] for label in arguments.members]
        photographs = product(chosen[0], Path(places[data]))
        detectors = [load(folder / str(record.artifact), threads=1) for record in chosen]
        for rule, figures, difference in of_set(detectors, photographs):
            differences.setdefault(rule, []).append(difference)
            shown = " | ".join(f"{figure:.3f}" for figure in figures)
            apart = " ".join(f"{each:+.3f}" for each in difference)
            print(f"| {category or data} | {seed} | {rule} | {shown} | {apart} |", flush=True)
    print("\n| rule | worst against the best member | mean |\n|:--|:--|:--|")
    for rule, each in differences.items():
        worst, mean = (" ".join(f"{value:+.3f}" for value in values) for values in (np.min(each, 0), np.mean(each, 0)))
        print(f"| {rule} | {worst} | {mean} |")


def of_set(
    detectors: Sequence[Detector], photographs: ImageFolder
) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Of each rule: its four figures, and their differences from the best member's."""
    good = held_out(detectors[0], photographs)
    size = detectors[0].manifest.view.canvas
    calm = [np.stack([detector.predict(path).map for path in good]) for detector in detectors]
    scales = [scale_of(maps.ravel(), detector.manifest.method) for maps, detector in zip(calm, detectors, strict=True)]
    tests = [np.stack([detector.predict(sample.path).map for sample in photographs.test]) for detector in detectors]
    masks = []
    for sample in photographs.test:
        height, width = detectors[0].read(sample.path).size[::-1]
        masks.append(at_centres(read_sample_mask(sample, (height, width)), size))
    truth, labels = np.stack(masks), np.array([sample.is_defective for sample in photographs.test])
    best = np.max([measured(maps, truth, labels) for maps in tests], axis=0)
    equal = [1.0] * len(detectors)
    found = []
    for rule in RULES:
        combination = Combination(rule, scales, equal)
        found.append((rule, combination([torch.from_numpy(maps) for maps in tests]).numpy()))
    surprises = [surprise(maps, scale.centre, scale.width) for maps, scale in zip(tests, scales, strict=True)]
    for name, weights in chosen_weights(detectors, good, scales).items():
        found.append((name, sum(w * each for w, each in zip(weights, surprises, strict=True))))
    results = []
    for rule, maps in found:
        figures = measured(np.ascontiguousarray(maps, np.float32), truth, labels)
        results.append((rule, figures, figures - best))
    return results


def surprise(maps: Maps, centre: float, width: float) -> Maps:
    """``-log p`` of each pixel."""
    found: Maps = np.logaddexp(0, (maps - centre) / width).astype(np.float32)
    return found


def chosen_weights(detectors: Sequence[Detector], good: list[Path], scales: Sequence[object]) -> dict[str, list[float]]:
    """Weights by pasted defects of a family that no member was trained on, in two ways."""
    seen = [list(looked_at(detector, good)) for detector in detectors]
    some = np.s_[:, _STRIDE // 2 :: _STRIDE, _STRIDE // 2 :: _STRIDE]
    truth = np.stack([one.mask for one in seen[0]])[some].ravel()
    maps = [np.stack([one.map for one in each])[some].ravel() for each in seen]
    pixels = [surprise(each, scale.centre, scale.width) for each, scale in zip(maps, scales, strict=True)]  # type: ignore[attr-defined]
    rest = itertools.product(WEIGHTS, repeat=len(pixels) - 1)
    tried = [(average_precision(weighed((1.0, *w), pixels), truth), (1.0, *w)) for w in rest]
    agreement = []
    for number, own in enumerate(pixels):
        others = sum(each for place, each in enumerate(pixels) if place != number)
        agreement.append(max(float(np.corrcoef(own, others)[0, 1]), 0.0))
    return {"fisher, weights by pasted defects": list(max(tried)[1]), "fisher, weights by agreement": agreement}


def weighed(weights: Sequence[float], pixels: Sequence[Maps]) -> Maps:
    """Their sum."""
    total: Maps = np.sum([w * each for w, each in zip(weights, pixels, strict=True)], axis=0, dtype=np.float32)
    return total


def average_precision(scores: Maps, truth: NDArray[np.bool_]) -> float:
    """Area under precision over recall; ties as they come."""
    hits = truth[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def measured(maps: Maps, truth: NDArray[np.bool_], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Pixel F1-max, image AUROC, pixel AP, AUPRO / 0.3."""
    pixels, images = rank_pixels(maps, truth), rank_scores(maps.max(axis=(1, 2)), labels)
    found = (pixels.f1_max, images.auroc, pixels.average_precision, (pixels.aupro or 0.0) / 0.3)
    return np.array([value or 0.0 for value in found])


if __name__ == "__main__":
    main()
