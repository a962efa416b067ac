"""``make notebooks``: executes the notebooks of ``examples``, by name or all, and stores what they show. A minute.

python docs/tools/notebooks [NAME ...]

Needs the training half, matplotlib and the weights of mobilenet_v2; Jupyter is not needed. The files that the cells
write go into a temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

TOOLS = Path(__file__).parents[1]
sys.path.insert(0, str(TOOLS))

from notebooks.executing import executed  # noqa: E402
from notebooks.keeping import read, write  # noqa: E402

FOLDER = TOOLS.parents[1] / "examples"


def main(names: list[str]) -> None:
    """Execute and store some of them, or all."""
    for name in names or sorted(path.stem for path in FOLDER.glob("*.ipynb")):
        path = FOLDER / f"{name}.ipynb"
        with tempfile.TemporaryDirectory() as folder:
            write(executed(read(path), path.name, Path(folder)), path)
        print(f"{path.name}: {path.stat().st_size // 1024} KiB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
