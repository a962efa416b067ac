"""The code that a run's figures depend on, as a part of its key: a better report must not make all runs old.

The rule: a file counts, unless nothing that it does can reach a figure. Those are the rooms above the road of a run
(the command line, the benchmark's planning, store and report, measuring in processes of its own), of which only what a
run itself calls counts; and below them what is only looked at, pictures and progress, and the defects that
`flawspot choose` judges by.
"""

from __future__ import annotations

import functools
import hashlib
from importlib import metadata
from pathlib import Path

WITHOUT_FIGURES = (
    "cli/",
    "choosing/",
    "serve/",
    "benchmark/",
    "measuring/",
    "progress",  # a file, or a package
    "data/defect_shapes.py",
    "data/gradient_blending.py",
    "data/judged_defects.py",
    "runtime/overlay.py",
    "runtime/pictures.py",
)
"""Where no figure comes from: beginnings of paths in the package."""
ROAD_OF_A_RUN = (
    "benchmark/one_run.py",
    "benchmark/variations.py",
    "measuring/latency.py",
    "measuring/peak_memory.py",
)
"""Files in those rooms that a run's figures come from nevertheless."""


ROAD_OF_A_STREAM = "benchmark/streams/"
"""Where the further steps of a run of a stream are made, but for what only reads a grid. Runs without a stream are not
made old by it."""
_READS_A_GRID = "benchmark/streams/reading.py"


def counts(name: str) -> bool:
    """Whether figures depend on the file called `name`, relative to the package, with forward slashes."""
    if not name.endswith((".py", ".json")):
        return False
    return name in ROAD_OF_A_RUN or not name.startswith(WITHOUT_FIGURES)


def stream_version(root: Path = Path(__file__).parents[1]) -> str:
    """`code_version` of a run of a stream: with the files of `ROAD_OF_A_STREAM`."""
    digest = hashlib.sha256()
    for path in sorted((root / ROAD_OF_A_STREAM).glob("*.py")):
        if not path.as_posix().endswith(_READS_A_GRID):
            digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return f"{code_version(root)}.{digest.hexdigest()[:8]}"


@functools.cache
def code_version(root: Path = Path(__file__).parents[1]) -> str:
    """The package's version, and a hash of those of its source files that figures depend on.

    The same on every operating system, whatever line ends a checkout has.

    Args:
        root: the folder of the package.
    """
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        if counts(name):
            digest.update(name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return f"{metadata.version('flawspot')}+{digest.hexdigest()[:16]}"
