"""Reads streams and strategies from the file of a grid."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from flawspot.benchmark.streams.stream import (
    ANEW,
    CATEGORIES,
    CONDITIONS,
    FROZEN,
    PLAIN,
    STRATEGIES,
    UPDATE,
    Stream,
    budget,
    with_budget,
)
from flawspot.benchmark.yaml_reader import Entry
from flawspot.runtime.state import DEFAULT_MEGABYTES
from flawspot.texts import shortened

KEYS = ("streams", "strategies")
MAX_STEPS = 50
MAX_MEGABYTES = 1024
_EXAMPLE = "none, noise=2 or brightness=2+noise=1"


def crossed(found: Mapping[str, Entry], corruptions: Sequence[str]) -> list[tuple[Stream | None, str | None]]:
    """Every stream with every strategy, and (None, None) if cells without a stream are wanted too.

    Args:
        found: the keys of the grid. Without the key `streams` there are no streams.
        corruptions: names of the known corruptions.

    Raises:
        ConfigurationError: names the line.
    """
    if "streams" not in found:
        if "strategies" in found:
            found["strategies"].fail("`strategies` are of `streams`, and the grid has none: add them, or remove this")
        return [(None, None)]
    entries = found["streams"].some("streams")
    streams = [read_stream(entry, corruptions) for entry in entries]
    names = [stream.name for stream in streams if stream is not None]
    for stream, entry in zip(streams, entries, strict=True):
        if stream is not None and names.count(stream.name) > 1:
            entry.fail(f"{names.count(stream.name)} streams are called {stream.name!r}: give each its own `name`")
    strategies = [FROZEN, with_budget(DEFAULT_MEGABYTES), ANEW]
    if "strategies" in found:
        lines: dict[str, int] = {}
        for entry in found["strategies"].some("strategies"):
            strategy = read_strategy(entry)
            if strategy in lines:
                entry.fail(f"{strategy!r} stands in line {lines[strategy]} already: remove one of them")
            lines[strategy] = entry.line
        strategies = list(lines)
    pairs: list[tuple[Stream | None, str | None]] = []
    for stream in streams:
        pairs += [(None, None)] if stream is None else [(stream, strategy) for strategy in strategies]
    return pairs


def read_stream(entry: Entry, corruptions: Sequence[str]) -> Stream | None:
    """A stream, or ``none`` for the cells without one.

    Args:
        entry: ``none``, or a name with ``steps`` or ``categories``.
        corruptions: names of the known corruptions.

    Raises:
        ConfigurationError: names the line.
    """
    if entry.is_text:
        entry.choice((PLAIN,), "stream")
        return None
    found = entry.fields(("name", "steps", "categories"), "a stream")
    if "name" not in found:
        entry.fail("the stream has no `name`: give it one, such as light")
    if ("steps" in found) == ("categories" in found):
        entry.fail("a stream has either `steps`, conditions such as none and noise=2, or `categories`")
    if "steps" in found:
        of, items = CONDITIONS, found["steps"].items()
        steps = tuple(_condition(item, corruptions) for item in items)
    else:
        of, items = CATEGORIES, found["categories"].items()
        steps = tuple(item.text("a category") for item in items)
        if len(set(steps)) < len(steps):
            entry.fail("a category comes twice in the stream: its photographs would be learned again")
    if not 2 <= len(steps) <= MAX_STEPS:
        entry.fail(f"a stream has 2 to {MAX_STEPS} steps, not {len(steps)}")
    return Stream(name=found["name"].text("name"), of=of, steps=steps)


def read_strategy(entry: Entry) -> str:
    """A strategy of `flawspot.benchmark.streams.stream`. ``update`` without a number has the default budget.

    Raises:
        ConfigurationError: names the line.
    """
    text = entry.text("a strategy")
    if text == UPDATE:
        return with_budget(DEFAULT_MEGABYTES)
    if re.fullmatch(rf"{UPDATE}=\d{{1,9}}", text):
        megabytes = budget(text)
        if megabytes is None or not 1 <= megabytes <= MAX_MEGABYTES:
            entry.fail(f"the state of {UPDATE} may take 1 to {MAX_MEGABYTES} megabytes for features, not {megabytes}")
        return with_budget(megabytes)
    if text not in STRATEGIES:
        entry.fail(
            f"unknown strategy {shortened(text)!r}: the known ones are {', '.join(STRATEGIES)}, and {UPDATE}=16 for "
            "an update whose state may take 16 megabytes"
        )
    return text


def _condition(entry: Entry, corruptions: Sequence[str]) -> str:
    text = entry.text("a condition")
    if text == PLAIN:
        return text
    found: dict[str, int] = {}
    for part in text.split("+"):
        name, _, severity = (piece.strip() for piece in part.partition("="))
        if name not in corruptions or severity not in ("1", "2", "3", "4", "5") or name in found:
            entry.fail(
                f"{shortened(text)!r} is no condition: write {_EXAMPLE}, with severities 1 to 5 of "
                f"{', '.join(corruptions)}"
            )
        found[name] = int(severity)
    # Sorted, because they are applied in a fixed order, whatever the order in the file.
    return "+".join(f"{name}={severity}" for name, severity in sorted(found.items()))
