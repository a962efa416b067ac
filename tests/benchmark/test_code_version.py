"""Which code makes runs old when it changes."""

import ast
import json
import shutil
from pathlib import Path

import pytest

import flawspot
from flawspot.benchmark.code_version import (
    ROAD_OF_A_RUN,
    WITHOUT_FIGURES,
    _that_counts,
    code_version,
    counts,
    stream_version,
)

PACKAGE = Path(flawspot.__file__).parent
BOOKKEEPING = {
    *("code_version", "examples", "feature_files", "machine", "reasons", "record", "record_checks", "seen_photographs"),
    "task",
}
"""Files of benchmark/ that a run uses, and that no figure comes from: what is recorded and kept, and in which words."""


def test_a_version_is_the_packages_and_a_hash():
    version, _, digest = code_version().partition("+")
    assert version and len(digest) == 16
    assert json.loads(json.dumps(code_version())) == code_version()


@pytest.mark.parametrize(
    ("name", "makes_old"),
    [
        ("methods/padim/method.py", True),
        ("runtime/images.py", True),
        ("costs/paper_tables.json", True),
        ("benchmark/one_run.py", True),
        ("benchmark/variations.py", True),
        ("measuring/latency.py", True),
        ("measuring/processes.py", False),
        ("runtime/overlay.py", False),
        ("runtime/pictures.py", False),
        ("benchmark/report/page.py", False),
        ("cli/train.py", False),
    ],
)
def test_code_that_no_figure_depends_on_makes_no_run_old(tmp_path, name, makes_old):
    root = tmp_path / "flawspot"
    for path in (PACKAGE / name, PACKAGE / "errors.py"):
        (root / path.relative_to(PACKAGE)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path.relative_to(PACKAGE))
    before = code_version(root)
    with (root / name).open("ab") as file:
        file.write(b"\nADDED = 1\n" if name.endswith(".py") else b" 1")
    code_version.cache_clear()
    assert (code_version(root) != before) == makes_old


@pytest.mark.parametrize(
    ("name", "makes_old"),
    [
        ("benchmark/streams/one_stream.py", (False, True)),
        ("benchmark/streams/photographs.py", (False, True)),
        ("benchmark/streams/reading.py", (False, False)),
        ("benchmark/one_run.py", (True, True)),
        ("benchmark/report/page.py", (False, False)),
    ],
)
def test_code_of_streams_makes_only_their_runs_old(tmp_path, name, makes_old):
    root = tmp_path / "flawspot"
    for path in (PACKAGE / name, PACKAGE / "errors.py"):
        (root / path.relative_to(PACKAGE)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path.relative_to(PACKAGE))
    before = code_version(root), stream_version(root)
    with (root / name).open("ab") as file:
        file.write(b"\nADDED = 1\n" if name.endswith(".py") else b" 1")
    code_version.cache_clear()
    assert (code_version(root) != before[0], stream_version(root) != before[1]) == makes_old


def test_line_ends_make_no_run_old(tmp_path):
    for name, text in (("unix", b"a = 1\nb = 2\n"), ("windows", b"a = 1\r\nb = 2\r\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_bytes(text)
    assert code_version(tmp_path / "unix") == code_version(tmp_path / "windows")


def test_every_name_is_of_something_that_is_there():
    for name in (*WITHOUT_FIGURES, *ROAD_OF_A_RUN):
        assert list(PACKAGE.glob(f"{name.rstrip('/')}*")) or name == "serve/", name


def imported(path: Path) -> set[str]:
    """Files of the package whose modules one of its files imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            file = Path(*module.split(".")[1:]).with_suffix(".py") if module.count(".") else None
            if module.startswith("flawspot.") and file is not None and (PACKAGE / file).is_file():
                found.add(file.as_posix())
    return found


def test_what_a_run_uses_of_rooms_without_figures_is_decided_file_by_file():
    """A new import on the road of a run stops here until somebody has said whether figures depend on it."""
    rooms = ("benchmark/", "measuring/")
    uses = {name for file in ROAD_OF_A_RUN for name in imported(PACKAGE / file) if name.startswith(rooms)}
    undecided = {name for name in uses if not counts(name)} - {f"benchmark/{name}.py" for name in BOOKKEEPING}
    assert undecided == set()
    assert not {f"benchmark/{name}.py" for name in BOOKKEEPING} - uses


@pytest.mark.parametrize(
    ("text", "makes_old"),
    [
        (
            b'"""Told better."""\n\na = 1  # why\n\n\nclass B:\n    """What."""\n\n    c = "# d"\n    """Of c."""\n',
            False,
        ),
        (b'"""."""\na = 1\nclass B:\n    c = "# e"\n', True),
        (b'"""."""\na = 2\nclass B:\n    c = "# d"\n', True),
        (b'"""."""\na = 1\nclass B:\n    c = """\n# d"""\n', True),
        (b'"""."""\na = 1\nclass B:\n  c = "# d"\n', True),  # where a line begins has a meaning
    ],
)
def test_words_make_no_run_old(tmp_path, text, makes_old):
    for name, content in (("before", b'"""."""\na = 1\nclass B:\n    c = "# d"\n'), ("after", text)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_bytes(content)
    assert (code_version(tmp_path / "before") != code_version(tmp_path / "after")) == makes_old


@pytest.mark.slow
def test_every_file_is_cut_only_where_words_are():
    """What is left of the package's files has the same meaning for Python, but for the words."""
    for path in PACKAGE.rglob("*.py"):
        left, whole = (ast.parse(text) for text in (_that_counts(path), path.read_bytes()))
        assert ast.dump(_without_words(left)) == ast.dump(_without_words(whole)), path


def _without_words(tree):
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            said = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
            node.body = said or [ast.Pass()]
    return tree
