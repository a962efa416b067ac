"""``make drawings``: the SVGs of the documentation, by name or all. Some minutes; needs the training half.

python docs/tools/drawing [NAME ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

TOOLS = Path(__file__).parents[1]
sys.path.insert(0, str(TOOLS))

from drawing import distances, networks, whole  # noqa: E402

FOLDER = TOOLS.parent / "drawings"
DRAWINGS = {
    "found": whole.found,
    "pipeline": whole.pipeline,
    "threshold": whole.threshold,
    "patchcore": distances.patchcore,
    "padim": distances.padim,
    "cfa": distances.cfa,
    "students": networks.students,
    "distances": networks.distances,
    "pasted": networks.defects,
    "jury": networks.members,
}


def main(names: list[str]) -> None:
    """Draw and write some of them, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or list(DRAWINGS):
        path = FOLDER / f"{name}.svg"
        DRAWINGS[name]().save(path)
        print(f"{path.name}: {path.stat().st_size // 1024} KiB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
