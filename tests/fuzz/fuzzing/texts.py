"""Mutations of texts and of JSON values, for manifests and grids."""

from __future__ import annotations

import random
import re
from typing import Any

WORDS = (
    "", "-1", "0", "1e999", "nan", ".inf", "null", "true", "~", "[]", "{}", "9" * 400, "9" * 5000, "-" + "9" * 30,
    "a: b", "*a", "&a [*a]", "!!python/object/apply:os.system [ls]", "\x1b[2J", "x\ny", "\u2028", "..", "/etc/passwd",
    "é" * 300, "0x1F", "1_000", "01", "1:30", "2026-01-01", "=1+1", "all", "none", "padim", "%", "'", '"',
    "|", ">", "- -",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 0.5, -0.5, 1e-320, 1e308, float("nan"), float("inf"), float("-inf"), 10**30,
    10**400, 2**63, "", "x\ny\x1b[31m", "\ud800", "9", [], [[]], {}, {"": ""}, {"a\nb": []}, {"x": 10**400}, [0.0],
    [1e300, -1e300],
    list(range(2000)), "A" * 100_000,
)  # fmt: skip


def mutated_text(text: str, rng: random.Random) -> str:
    """Characters, words and lines changed, doubled, moved and left out."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        text = _once(text, rng)
    return text


def _once(text: str, rng: random.Random) -> str:
    kind = rng.choice(("word", "word", "word", "character", "line", "repeat", "cut", "indent", "nest"))
    words = list(re.finditer(r"[^\s,:\[\]{}\"]+", text))
    if kind == "word" and words:
        word = rng.choice(words)
        return text[: word.start()] + rng.choice(WORDS) + text[word.end() :]
    place = rng.randrange(len(text) + 1)
    if kind == "character":
        return (
            text[:place]
            + chr(rng.choice((0, 9, 10, 13, 27, 34, 39, 58, 91, 123, 0x85, 0xFEFF, 0x1F600)))
            + text[place:]
        )
    if kind == "cut":
        return text[:place]
    if kind == "nest":
        return text[:place] + rng.choice("[{") * rng.choice((1, 50, 20_000)) + text[place:]
    lines = text.split("\n")
    spot = rng.randrange(len(lines))
    if kind == "line":
        lines.insert(rng.randrange(len(lines)), lines.pop(spot))
    elif kind == "repeat":
        lines[spot:spot] = [lines[spot]] * rng.choice((1, 3, 2000))
    else:
        lines[spot] = rng.choice((" ", "  ", "\t", "- ", "- - ")) + lines[spot]
    return "\n".join(lines)


def mutated_value(value: Any, rng: random.Random) -> Any:
    """A JSON value in which one to three parts are left out, doubled or another value."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        value = _replaced(value, rng)
    return value


def _replaced(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        changed = dict(value)
        kind = rng.random()
        if kind < 0.05:
            del changed[key]
        elif kind < 0.1:
            changed[rng.choice(WORDS)] = changed.pop(key)
        else:
            changed[key] = _replaced(value[key], rng)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.7:
        spot = rng.randrange(len(value))
        kind = rng.random()
        if kind < 0.2:
            return value[:spot] + value[spot + 1 :]
        if kind < 0.4:
            return [*value, value[spot]]
        return [*value[:spot], _replaced(value[spot], rng), *value[spot + 1 :]]
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e200
    if number and rng.random() < 0.4:
        return rng.choice((-value, value + 1, value * 2, value / 3, value * 1e10, float(value), str(value)))
    return rng.choice(VALUES)
