"""The code that a run's figures depend on, as a part of the run's key. A better report must not make all runs outdated.

The rule: a file counts unless nothing in it can affect a figure. Two kinds of files do not count. The first are the
packages above a run (the command line, the benchmark's planning, store and report, measuring in separate processes),
except for the files that a run itself calls. The second are files below a run whose output is only shown (pictures and
progress), and the defects that `flawspot choose` judges by. Of a file that counts, comments, docstrings and empty lines
do not.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import tokenize
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
"""Files that no figure depends on, as prefixes of their paths in the package."""
ROAD_OF_A_RUN = (
    "benchmark/one_run.py",
    "benchmark/variations.py",
    "measuring/latency.py",
    "measuring/peak_memory.py",
)
"""Files under these prefixes that a run's figures depend on nevertheless."""


ROAD_OF_A_STREAM = "benchmark/streams/"
"""Files that the further steps of a stream's run depend on, except the one that only reads a grid. They do not make
runs without a stream outdated."""
_READS_A_GRID = "benchmark/streams/reading.py"


def counts(name: str) -> bool:
    """Whether figures depend on the file `name`, a path relative to the package with forward slashes."""
    if not name.endswith((".py", ".json")):
        return False
    return name in ROAD_OF_A_RUN or not name.startswith(WITHOUT_FIGURES)


def stream_version(root: Path = Path(__file__).parents[1]) -> str:
    """`code_version` for a run of a stream; it includes the files of `ROAD_OF_A_STREAM`."""
    digest = hashlib.sha256()
    for path in sorted((root / ROAD_OF_A_STREAM).glob("*.py")):
        if not path.as_posix().endswith(_READS_A_GRID):
            digest.update(path.name.encode() + b"\0" + _that_counts(path) + b"\0")
    return f"{code_version(root)}.{digest.hexdigest()[:8]}"


@functools.cache
def code_version(root: Path = Path(__file__).parents[1]) -> str:
    """The package's version, and a hash of the source files that figures depend on.

    It is the same on every operating system and for every kind of line ends.

    Args:
        root: the folder of the package.
    """
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        if counts(name):
            digest.update(name.encode() + b"\0" + _that_counts(path) + b"\0")
    return f"{metadata.version('flawspot')}+{digest.hexdigest()[:16]}"


def _that_counts(path: Path) -> bytes:
    """The lines of a file without what no figure can come from.

    They are cut from its text, not printed from its syntax tree, which Python versions print differently.
    """
    text = path.read_bytes().replace(b"\r\n", b"\n").decode()
    return _without_words(text).encode() if path.suffix == ".py" else text.encode()


def _without_words(text: str) -> str:
    """Python text without comments, docstrings and empty lines."""
    lines: list[str | None] = [*text.split("\n")]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT:
            lines[row - 1] = (lines[row - 1] or "")[:column].rstrip()
    within: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant | ast.JoinedStr):
            within.update(range(node.lineno - 1, (node.end_lineno or node.lineno) - 1))
        body = getattr(node, "body", None)
        said = [one for one in body if _is_text(one)] if isinstance(body, list) else []
        for one in said:
            last = one.end_lineno or one.lineno
            # A body that says something and does nothing must not be empty.
            stays = " " * one.col_offset + '""' if len(said) == len(body or []) else None
            lines[one.lineno - 1 : last] = [stays] + [None] * (last - one.lineno)
    return "\n".join(line for number, line in enumerate(lines) if line or (line is not None and number in within))


def _is_text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
