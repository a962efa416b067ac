"""The command line, called by the benchmarks that train and evaluate as a user would."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def flawspot(*arguments: str) -> dict[str, Any]:
    """Run one command and read the JSON object it prints; its error ends this program too."""
    print("flawspot", *arguments, file=sys.stderr)
    command = [sys.executable, "-m", "flawspot", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def train_and_evaluate(data: Path, kept: Path, options: Sequence[str]) -> dict[str, Any]:
    """What `train` with `options` and `evaluate` tell of one detector, and its bytes.

    The figures are kept in the file `kept` and the detector beside it, so that a broken-off benchmark goes on where it
    was; a file that is there is read and nothing is trained.
    """
    if not kept.exists():
        artifact = kept.with_suffix(".onnx")
        trained = flawspot("train", str(data), "-o", str(artifact), *options)
        evaluated = flawspot("evaluate", str(artifact), str(data))
        unfinished = kept.with_suffix(".part")
        figures = {"train": trained, "evaluate": evaluated, "bytes": artifact.stat().st_size}
        unfinished.write_text(json.dumps(figures), encoding="utf-8")
        unfinished.replace(kept)
    result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return result
