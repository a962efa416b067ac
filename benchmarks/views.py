"""Proportions, tiles and sizes: figures and costs of one method on one product.

    python benchmarks/views.py DATA [--method padim] [--seed 0] [--views NAME ...]

Each row is a detector that is trained and evaluated in this process, with a fifth of the good photographs held out for
the threshold. Nothing is chosen on the test photographs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import flawspot

VIEWS: dict[str, dict[str, Any]] = {
    "squash 224": {},
    "pad 224": {"fit": "pad"},
    "tiles 2 x 2": {"tiles": "2x2"},
    "squash 320": {"input_size": 320},
    "tiles 1 x 2": {"tiles": "1x2"},
    "tiles 2 x 1": {"tiles": "2x1"},
}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--method", default="padim")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=list(VIEWS)[:4])
    options = parser.parse_args()
    print("| data | method | view | pixel F1 | image AUROC | AUPRO / 0.3 | recall | false alarms | MMAC | MiB | s |")
    print("|:--|:--|:--|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name in options.views:
        begin = time.perf_counter()
        artifact = flawspot.train(
            options.data,
            method=options.method,
            seed=options.seed,
            calibration="split",
            group="none",
            progress=False,
            **VIEWS[name],
        )
        found = flawspot.evaluate(artifact, options.data, progress=False).metrics
        macs = sum(part.macs for part in artifact.manifest.parts)
        pixels = f"{found.pixel_f1_max or 0:.3f} | {found.image_auroc:.3f} | {found.pixel_aupro_normalized or 0:.3f}"
        rates = f"{found.image_recall:.2f} | {found.image_false_alarm_rate:.2f}"
        print(
            f"| {options.data.name} | `{options.method}` | {name} | {pixels} | {rates} "
            f"| {macs / 1e6:.0f} | {len(artifact.model) / 2**20:.1f} | {time.perf_counter() - begin:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
