"""Detectors of a store side by side: figures of each set, the mean over its seeds with the range, and costs.

    python benchmarks/compared.py runs.sqlite [--against LABEL]

With ``--against`` the figures are differences from the detector of that label, seed by seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.store import Store

FIGURES = {
    "pixel_f1_max": "pixel F1-max",
    "image_auroc": "image AUROC",
    "pixel_ap": "pixel AP",
    "pixel_aupro_normalized": "AUPRO / 0.3",
}


def main() -> None:
    """Print one table for each set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--against", metavar="LABEL")
    arguments = parser.parse_args()
    with Store(arguments.store, create=False) as opened:
        records = [record for record in opened.records() if record.status == DONE]
    sets: dict[str, dict[str, dict[int, Record]]] = {}
    for record in records:
        name = record.cell.category if record.cell.category not in ("", ".") else record.cell.data
        sets.setdefault(name, {}).setdefault(record.cell.label, {})[record.cell.seed] = record
    for name, of_set in sets.items():
        print(f"\n### {name}\n")
        print(f"| detector | seeds | {' | '.join(FIGURES.values())} | MB | MMAC | training s |")
        print(f"|:--|:--|{'--:|' * (len(FIGURES) + 3)}")
        reference = of_set.get(arguments.against or "")
        for label, seeds in of_set.items():
            print(row(label, seeds, None if seeds is reference else reference))


def row(label: str, seeds: dict[int, Record], reference: dict[int, Record] | None) -> str:
    """One detector's line; differences where there is a reference with a seed of the same number."""
    common = [seed for seed in sorted(seeds) if reference is None or seed in reference]
    cells = []
    for key in FIGURES:
        own = [float(seeds[seed].metrics[key] or 0.0) for seed in common]
        if reference is not None:
            own = [value - float(reference[seed].metrics[key] or 0.0) for value, seed in zip(own, common, strict=True)]
        sign = "+" if reference is not None else ""
        spread = f" ({min(own):{sign}.3f} to {max(own):{sign}.3f})" if len(own) > 1 else ""
        cells.append(f"{np.mean(own):{sign}.3f}{spread}" if own else "")
    parts = [record.parts for record in seeds.values()]
    stored = np.mean([sum(part.bytes for part in each) for each in parts]) / 1e6
    macs = np.mean([sum(part.macs for part in each) for each in parts]) / 1e6
    seconds = np.mean([float(record.measured.get("training_seconds", 0)) for record in seeds.values()])
    numbers = ", ".join(map(str, common))
    return f"| {label} | {numbers} | {' | '.join(cells)} | {stored:.1f} | {macs:,.0f} | {seconds:.0f} |"


if __name__ == "__main__":
    main()
