"""The house rules that a machine can hold: room sizes, and that nobody outside its room knows a method."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "flawspot"
FILES = sorted(SOURCE.rglob("*.py"))
FILE_LINES = 300
FUNCTION_LINES = 60
"""Without the docstring, which lists arguments and errors one by one."""
ROOMS = ("cfa", "jury", "padim", "pasted", "patchcore", "stfpm")


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES
    long = {name: lines for name, lines in functions(ast.parse(text)) if lines > FUNCTION_LINES}
    assert not long


def test_test_files_are_short() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "tests").rglob("*.py")}
    assert not {path.name: count for path, count in lines.items() if count > FILE_LINES}


def test_no_file_outside_a_method_s_room_imports_from_it() -> None:
    """Names of methods are data elsewhere: figures of the paper, names for people. Their code is known to nobody."""
    found = []
    for path in FILES:
        room = path.relative_to(SOURCE).parts[:2]
        for module in imported(ast.parse(path.read_text(encoding="utf-8"))):
            parts = module.split(".")
            of_a_room = parts[:2] == ["flawspot", "methods"] and len(parts) > 2 and parts[2] in ROOMS
            if of_a_room and room != ("methods", parts[2]) and path != SOURCE / "methods" / "__init__.py":
                found.append(f"{path.relative_to(SOURCE)} imports {module}")
    assert not found


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Name and lines of each function, its docstring left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node) is not None and first.end_lineno is not None:
                lines -= first.end_lineno - first.lineno + 1
            yield node.name, lines


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules that are imported anywhere in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
