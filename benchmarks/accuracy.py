"""Train and evaluate methods through the command line and print the table of docs/results.md.

    python benchmarks/accuracy.py DATA/mvtec_ad/bottle DATA/magnetic_tile --work /tmp/results [--methods padim paste]

Each detector's figures are kept in the work folder as JSON and not computed twice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from command_line import train_and_evaluate

METHODS = ("patchcore", "padim", "cfa", "stfpm", "paste")
COLUMNS = {
    "pixel_f1_max": "pixel F1-max",
    "pixel_auroc": "pixel AUROC",
    "pixel_aupro_normalized": "AUPRO / 0.3",
    "image_auroc": "image AUROC",
    "image_recall": "recall",
    "image_false_alarm_rate": "false alarms",
}


def main() -> None:
    """Print a Markdown table for each folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for data in options.data:
        rows = {}
        for method in options.methods:
            kept = options.work / f"{data.name}-{method}-{options.seed}.json"
            rows[method] = train_and_evaluate(data, kept, ["--method", method, "--seed", str(options.seed)])
        print(f"\n### {data.name}\n")
        print("| method | layers | " + " | ".join(COLUMNS.values()) + " | artifact MiB | training s |")
        print("|:--|:--|" + "--:|" * (len(COLUMNS) + 2))
        for method, row in rows.items():
            manifest = row["train"]["manifest"]
            values = [f"{row['evaluate'][key]:.3f}" for key in COLUMNS]
            size, seconds = row["bytes"] / 2**20, sum(row["train"]["seconds"].values())
            taps = manifest["backbone"]["taps"]
            print(f"| {method} | {taps} | " + " | ".join(values) + f" | {size:.1f} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
