"""How well `flawspot choose` judges: its figures on pasted defects against real ones, over the detectors of a store.

    flawspot benchmark run GRID --store runs.sqlite ...
    python benchmarks/judge.py runs.sqlite --data mvtec_ad=FOLDER/mvtec_ad --data magnetic_tile=FOLDER/magnetic_tile

Real test photographs are used only for the table. Nothing is chosen by them, with one exception: a variant of the judge
is chosen on all sets but one and reported on that one. Judgements are kept beside the store, and not made twice.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.store import Store
from flawspot.benchmark.variations import vary
from flawspot.choosing.judge import held_out, looked_at, pasted, rank_of
from flawspot.data.folders import ImageFolder
from flawspot.data.layouts import LAYOUTS, DataSource
from flawspot.export.gate import rank_correlation
from flawspot.metrics import rank_pixels, rank_scores
from flawspot.progress.display import DISPLAY
from flawspot.runtime.detector import load

FIGURES = ("image_auroc", "pixel_f1_max", "pixel_ap", "pixel_aupro_normalized")
Booleans = NDArray[np.bool_]
Judged = dict[str, dict[str, float]]
"""Figures by the name of the subset of defects, and by their own."""

VARIANTS: dict[str, Callable[[Judged], float]] = {
    "image AUROC and pixel F1-max (what ranks)": lambda j: rank_of(dict(j["all"])),
    "image AUROC": lambda j: j["all"]["image_auroc"],
    "pixel F1-max": lambda j: j["all"]["pixel_f1_max"],
    "pixel AP": lambda j: j["all"]["pixel_ap"],
    "AUPRO": lambda j: j["all"]["pixel_aupro_normalized"],
    "all four": lambda j: sum(j["all"].values()) / 4,
    "the larger half of the defects": lambda j: rank_of(dict(j["larger half"])),
    "the plainer half": lambda j: rank_of(dict(j["plainer half"])),
    "the larger half, all four": lambda j: sum(j["larger half"].values()) / 4,
    "the larger half, pixel AP": lambda j: j["larger half"]["pixel_ap"],
    "mean over the kinds": lambda j: float(np.mean([rank_of(dict(v)) for k, v in j.items() if k.startswith("kind ")])),
}


def main() -> None:
    """Judge what has not been judged yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--data", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--seed", type=int, default=0, help="of the pasted defects")
    arguments = parser.parse_args()
    places = dict(text.split("=", 1) for text in arguments.data)
    kept = arguments.store.with_suffix(f".judged-{arguments.seed}.json")
    known: dict[str, Judged] = json.loads(kept.read_text()) if kept.exists() else {}
    with Store(arguments.store, create=False) as opened:
        records = [record for record in opened.records() if record.status == DONE and record.cell.data in places]
        folder = opened.folder
    for record in DISPLAY.track(records, "judging detectors"):
        if record.key not in known:
            known[record.key] = judged(record, product(record, Path(places[record.cell.data])), folder, arguments.seed)
            kept.write_text(json.dumps(known))
    sets: dict[str, list[Record]] = {}
    for record in records:
        sets.setdefault(f"{record.cell.data}/{record.cell.category}", []).append(record)
    for name, of_set in sets.items():
        print_set(name, of_set, known)
    print_variants(sets, known)


def product(record: Record, place: Path) -> ImageFolder:
    """The photographs that a run had."""
    several = (place / record.cell.category / "train" / "good").is_dir()
    layout = record.cell.data if record.cell.data in LAYOUTS else "mvtec_ad" if several else "folder"
    source = DataSource(record.cell.data, layout, place, (record.cell.category,))
    return vary(source.open(record.cell.category), record.cell)


def judged(record: Record, photographs: ImageFolder, folder: Path, seed: int) -> Judged:
    """The figures of one detector on subsets of the pasted defects."""
    assert record.artifact is not None
    detector = load(folder / record.artifact, threads=1)
    good = held_out(detector, photographs)
    found = list(looked_at(detector, good, seed=seed))
    kinds = np.array([one.kind or "" for one in found])
    sizes, contrasts = traits(good, seed)
    bad = kinds != ""
    subsets = {
        "all": bad,
        "larger half": bad & (sizes >= np.median(sizes[bad])),
        "plainer half": bad & (contrasts >= np.median(contrasts[bad])),
        **{f"kind {kind}": kinds == kind for kind in sorted(set(kinds[bad]))},
    }
    scores, maps, masks = (np.array([getattr(one, name) for one in found]) for name in ("score", "map", "mask"))
    return {name: figures(scores, maps, masks, ~bad | chosen, chosen) for name, chosen in subsets.items()}


def figures(
    scores: NDArray[Any], maps: NDArray[Any], masks: Booleans, used: Booleans, bad: Booleans
) -> dict[str, float]:
    """Of the `used` photographs, of which some are `bad`."""
    pixels = rank_pixels(maps[used], masks[used])
    image = rank_scores(scores[used], bad[used])
    values = (image.auroc, pixels.f1_max, pixels.average_precision, pixels.aupro / 0.3 if pixels.aupro else 0.0)
    return {name: float(value or 0.0) for name, value in zip(FIGURES, values, strict=True)}


def traits(good: list[Path], seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the photograph and mean change in grey levels of each pasted defect; 0 of a good photograph."""
    key = (tuple(good), seed)
    if key not in _TRAITS:
        sizes, contrasts, before = [], [], np.zeros((1, 1, 1), np.int16)
        for image, mask, kind in pasted(good, seed=seed):
            if kind is None:
                before = image.astype(np.int16)
                sizes.append(0.0)
                contrasts.append(0.0)
            else:
                sizes.append(float(mask.mean()))
                contrasts.append(float(np.abs(image - before).max(axis=2)[mask].mean()))
        _TRAITS[key] = (np.array(sizes), np.array(contrasts))
    return _TRAITS[key]


_TRAITS: dict[Any, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}


def real(record: Record) -> float:
    """What ranks, on real defects."""
    return rank_of(record.metrics)


def spearman(first: Iterable[float], second: Iterable[float]) -> float:
    """Rank correlation of two lists."""
    return rank_correlation(np.array(list(first), np.float32), np.array(list(second), np.float32))


def print_set(name: str, records: list[Record], known: dict[str, Judged]) -> None:
    """Every detector of a set, the best judged first, and what the judge is worth there."""
    print(f"\n{name}: {len(records)} detectors")
    ranks = {record.key: rank_of(dict(known[record.key]["all"])) for record in records}
    for record in sorted(records, key=lambda record: -ranks[record.key]):
        told = known[record.key]["all"]
        cell, metrics = record.cell, record.metrics
        print(
            f"{cell.label:28} {cell.backbone:20} judged {ranks[record.key]:.3f} ({told['image_auroc']:.3f} "
            f"{told['pixel_f1_max']:.3f})  real {real(record):.3f} ({metrics['image_auroc']:.3f} "
            f"{metrics['pixel_f1_max']:.3f})"
        )
    chosen = max(records, key=lambda record: ranks[record.key])
    best = max(records, key=real)
    reals = [real(record) for record in records]
    judge_told = spearman(ranks.values(), reals)
    print(f"Spearman {judge_told:.3f}; chosen {real(chosen):.3f}, best in hindsight {real(best):.3f}")
    print(f"({best.cell.label} on {best.cell.backbone}), mean of all {np.mean(reals):.3f}, worst {min(reals):.3f}")
    for figure in FIGURES:
        values = [float(record.metrics[figure] or 0) for record in records]
        judge = [known[record.key]["all"][figure] for record in records]
        print(
            f"  {figure}: Spearman {spearman(judge, values):.3f}; chosen {float(chosen.metrics[figure] or 0):.3f}, "
            f"best in hindsight {max(values):.3f}"
        )


def print_variants(sets: dict[str, list[Record]], known: dict[str, Judged]) -> None:
    """What other judges would have been worth, and the one that the other sets would choose for each set."""
    table = {
        variant: [spearman((rank(known[r.key]) for r in of_set), map(real, of_set)) for of_set in sets.values()]
        for variant, rank in VARIANTS.items()
    }
    lost = {
        variant: [
            max(map(real, of_set)) - real(max(of_set, key=lambda record: rank(known[record.key])))
            for of_set in sets.values()
        ]
        for variant, rank in VARIANTS.items()
    }
    print(f"\nvariants of the judge: Spearman in {', '.join(sets)}; lost against the best in hindsight")
    for variant, values in table.items():
        shown = "  ".join(f"{value:.3f}" for value in values)
        print(f"{variant:44} {shown}   {'  '.join(f'{value:.3f}' for value in lost[variant])}")
    for place, name in enumerate(sets):
        if len(sets) < 2:
            break
        others = {v: [x for at, x in enumerate(values) if at != place] for v, values in table.items()}
        chosen = max(others, key=lambda variant: float(np.mean(others[variant])))
        print(f"chosen without {name}: {chosen}; there {table[chosen][place]:.3f}, lost {lost[chosen][place]:.3f}")


if __name__ == "__main__":
    main()
