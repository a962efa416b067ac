"""Manifests and wrappings made by hand, around the tiny graph."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flawspot.runtime.artifact import metadata_entry
from fuzzing.artifacts import Base, base, bound, sealed
from fuzzing.handmade import HandMade
from fuzzing.limits import ACCEPTED, REFUSED

_NAN, _INFINITE = float("nan"), float("inf")
_DAMAGED = "its manifest is|its metadata are|no schema version|newer flawspot"


def cases() -> Iterator[HandMade]:
    """All of them."""
    for where, value, right in _VALUES:
        yield _case(
            f"manifest: {where} = {ascii(value)[:30]}", lambda b, w=where, v=value: _with(b, w, v), right, _DAMAGED
        )
    for name, change in _TEXTS.items():
        yield _case(
            f"manifest: {name}", lambda b, c=change: sealed(b.graph, c(json.dumps(b.manifest))), REFUSED, "manifest"
        )
    for name, write, right, message in _WRAPPINGS:
        yield _case(f"file: {name}", write, right, message)


def _case(name: str, data: Callable[[Base], bytes], right: str, message: str) -> HandMade:
    def write(path: Path, tiny: Path) -> None:
        path.write_bytes(data(base(tiny)))

    return HandMade(name, "artifact", write, right, "" if right == ACCEPTED else message)


def _with(tiny: Base, where: str, value: Any) -> bytes:
    manifest = json.loads(json.dumps(tiny.manifest))
    *outer, last = where.split(".")
    inner = manifest
    for name in outer:
        inner = inner[name]
    inner[last] = value
    return sealed(tiny.graph, json.dumps(manifest))


_VALUES: tuple[tuple[str, Any, str], ...] = (
    ("calibration.threshold", _NAN, REFUSED),
    ("calibration.threshold", _INFINITE, REFUSED),
    ("calibration.threshold", -_INFINITE, REFUSED),
    ("calibration.threshold", 99.5, REFUSED),
    ("calibration.threshold", 10**400, REFUSED),
    ("calibration.pixel_threshold", _NAN, REFUSED),
    ("calibration.scores", [], REFUSED),
    ("calibration.scores", [_NAN], REFUSED),
    ("calibration.scores", [3.0, 1.0], REFUSED),
    ("calibration.false_alarm_rate", 0.0, REFUSED),
    ("calibration.false_alarm_rate", _NAN, REFUSED),
    ("input_size", -5, REFUSED),
    ("input_size", 0, REFUSED),
    ("input_size", 10**30, REFUSED),
    ("parts", [{"name": "x", "bytes": -1, "macs": -1}], REFUSED),
    ("backbone.std", [0.0, 0.0, 0.0], REFUSED),
    ("backbone.taps", list(range(1_000_000)), REFUSED),
    ("schema_version", -7, REFUSED),
    ("schema_version", True, REFUSED),
    ("schema_version", 99, REFUSED),
    ("hyperparameters", {"a": _INFINITE}, REFUSED),
    ("hyperparameters", {"a\nb\x1b[31m": []}, REFUSED),
    ("training.seconds", {"a\r\nb": "x"}, REFUSED),
    ("seed", 10**400, REFUSED),
    ("product", "\ud800", REFUSED),
    ("product", "\x1b[2J\x1b]0;owned\x07\nverdict: good", ACCEPTED),
    ("product", "=HYPERLINK(1)", ACCEPTED),
    ("something", "unknown", ACCEPTED),
)

_TEXTS: dict[str, Callable[[str], str]] = {
    "no object": lambda text: "[]",
    "empty": lambda text: "",
    "half": lambda text: text[: len(text) // 2],
    "deep": lambda text: text[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "a number of 5000 digits": lambda text: text[:-1] + ', "seed": ' + "9" * 5000 + "}",
    "an exponent": lambda text: text[:-1] + ', "seed": 1e999}',
}


def _twice_keyed(tiny: Base) -> bytes:
    return sealed(tiny.graph, json.dumps(tiny.manifest)[:-1] + ', "seed": 5}')


_WRAPPINGS: tuple[tuple[str, Callable[[Base], bytes], str, str], ...] = (
    ("5 million fields at its end", lambda b: b.data + b"\x78\x00" * 5_000_000, REFUSED, "fields"),
    ("5 million fields before it", lambda b: b"\x78\x00" * 5_000_000 + b.data, REFUSED, "fields"),
    ("500,000 metadata", lambda b: b.data + metadata_entry("a", "b") * 500_000, REFUSED, "fields|metadata"),
    ("a name of 10 MB", lambda b: _with(b, "product", "A" * 10_000_000), REFUSED, "metadata"),
    ("two graphs", lambda b: bound(b.graph + b.graph, b.manifest), REFUSED, "2 graphs"),
    ("no graph", lambda b: bound(b"\x38\x01", b.manifest), REFUSED, "0 graphs"),
    ("a number where the graph is", lambda b: bound(b"\x38\x01" + b.graph, b.manifest), ACCEPTED, ""),
    ("a key twice", _twice_keyed, ACCEPTED, ""),
    ("another manifest", lambda b: sealed(b.graph + b"\x08\x0a", json.dumps(b.manifest)), REFUSED, "another graph"),
    ("ONNX Runtime's own format", lambda b: b"\x38\x01\x38\x01ORTM" + b.data, REFUSED, "own format"),
    ("empty", lambda b: b"", REFUSED, "0 graphs|not an ONNX"),
    ("zeros", lambda b: bytes(10_000_000), REFUSED, "not an ONNX"),
    ("a photograph", lambda b: b"\x89PNG\r\n\x1a\n" + bytes(1000), REFUSED, "not an ONNX"),
)  # fmt: skip
