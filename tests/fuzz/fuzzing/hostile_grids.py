"""Grids made by hand that ask for time or memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from flawspot.benchmark.yaml_reader import MAX_BYTES
from fuzzing.handmade import HandMade
from fuzzing.limits import REFUSED

_HEAD = "data: {name: mvtec_ad, categories: [a]}\nbackbones: [mobilenet_v2]\nlayers: [low]\nmethods: [padim]\n"


def cases() -> Iterator[HandMade]:
    """All of them."""
    for name, make in _CASES.items():
        yield _case(name, make)


def _case(name: str, make: Callable[[], str]) -> HandMade:
    def write(path: Path, tiny: Path) -> None:
        path.write_text(make(), encoding="utf-8")

    return HandMade(f"grid: {name}", "grid", write, "" if name.startswith("full") else REFUSED)


def _numbers(count: int) -> str:
    return f"[{', '.join(map(str, range(count)))}]"


def _laughs() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20)]
    return "\n".join([*lines, "layers: *a19"])


def _filled(start: str, line: str, end: str = "") -> str:
    """As many lines as a grid has room for; ``#`` in a line is its number."""
    room, lines = MAX_BYTES - len(start) - len(end), []
    while room > 0:
        lines.append(line.replace("#", str(len(lines))))
        room -= len(lines[-1])
    return start + "".join(lines[:-1]) + end


_SETTINGS = _HEAD + "override: {match: {method: padim}, set: {settings: {"
_CASES: dict[str, Callable[[], str]] = {
    "a billion laughs": _laughs,
    "itself": lambda: "&a [*a, *a]",
    "layers of itself": lambda: _HEAD.replace("[low]", "&a [*a]"),
    "full of keys": lambda: _filled("", "a: 1\n"),
    "full of settings": lambda: _filled(_SETTINGS, "k#: 1, ", "}}}\n"),
    "full of seeds": lambda: _filled(_HEAD + "seeds: [", "#,", "]\nexclude: [{seed: x}]\n"),
    "full of rules": lambda: _filled(_HEAD + "exclude:\n", "- {seed: 1}\n"),
    "full of rules and seeds": lambda: _filled(
        _filled(_HEAD + "seeds: [", "#,", "]\nexclude:\n" + " " * (MAX_BYTES // 2)).replace(" " * (MAX_BYTES // 2), ""),
        "- {seed: 1}\n",
    ),
    "full of departures": lambda: (
        f"{_HEAD}seeds: {_numbers(2_000)}\nshots: {_numbers(2_000).replace('[0,', '[')}\n"
        f"contamination: [{', '.join(f'0.{i:05}' for i in range(300))}]\ncombine: all\n"
    ),
    "full of brackets": lambda: _filled("", "["),
    "full of indents": lambda: _filled("", "- "),
    "full of one text": lambda: "x" * MAX_BYTES,
    "full of quotes": lambda: _filled("'", "''", "'"),
    "too large": lambda: "#" * (2 * MAX_BYTES),
    "a tag that makes objects": lambda: _HEAD.replace("[padim]", "!!python/object/apply:os.system [echo]"),
    "a number of 5,000 digits": lambda: f"{_HEAD}seeds: {'9' * 5000}\n",
    "a number of 400 digits": lambda: f"{_HEAD}input_size: {'9' * 400}\n",
}
