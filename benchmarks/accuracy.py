"""Train and evaluate methods through the command line and print the table of docs/results.md.

    python benchmarks/accuracy.py DATA/mvtec_ad/bottle DATA/magnetic_tile --work /tmp/results [--methods padim paste]

Each detector's figures are kept in the work folder as JSON and not computed twice.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

METHODS = ("patchcore", "padim", "cfa", "stfpm", "paste")
COLUMNS = {
    "pixel_f1_max": "pixel F1-max",
    "pixel_auroc": "pixel AUROC",
    "pixel_aupro_normalized": "AUPRO / 0.3",
    "image_auroc": "image AUROC",
    "image_recall": "recall",
    "image_false_alarm_rate": "false alarms",
}


def flawspot(*arguments: str) -> dict[str, Any]:
    """Run one command and read the JSON object it prints."""
    print("flawspot", *arguments, file=sys.stderr)
    command = [sys.executable, "-m", "flawspot", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def figures(data: Path, method: str, seed: int, work: Path) -> dict[str, Any]:
    """Train and evaluate one detector, or read what an earlier run found."""
    kept = work / f"{data.name}-{method}-{seed}.json"
    if not kept.exists():
        artifact = kept.with_suffix(".onnx")
        trained = flawspot("train", str(data), "-o", str(artifact), "--method", method, "--seed", str(seed))
        evaluated = flawspot("evaluate", str(artifact), str(data))
        kept.write_text(json.dumps({"train": trained, "evaluate": evaluated, "bytes": artifact.stat().st_size}))
    result: dict[str, Any] = json.loads(kept.read_text())
    return result


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
        rows = {method: figures(data, method, options.seed, options.work) for method in options.methods}
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
