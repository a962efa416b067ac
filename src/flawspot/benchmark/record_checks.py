"""Checks the JSON of a stored run: the type and range of every field, so that nothing is computed from a broken one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from flawspot.benchmark.json_kinds import Fields, Items, Named, Value, checked
from flawspot.benchmark.streams.stream import CATEGORIES, CONDITIONS, UPDATE

_LARGEST = 2**53
"""Largest number: floats hold every whole number up to it, and a thousand of them fit into 64 bits."""
_LARGEST_SCORE = 1e39
"""Scores are of float32."""
_MOST_PARTS = 1000
_ROUNDING = 1e-9
_COUNTS = {
    *("images", "good_images", "defective_images", "regions", "pixels", "defective_pixels"),
    *("true_positives", "false_positives", "true_negatives", "false_negatives"),
}
"""Figures of `flawspot.metrics.Metrics` that are counts; those called ``image_`` and ``pixel_`` are shares."""


def check_record(text: str) -> dict[str, Any]:
    """The fields of a stored run as plain values, without unknown ones.

    Raises:
        ValueError: the text is not JSON, or a field is missing, of the wrong type or out of its range; one line that
            names it.
    """
    try:
        read = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error})") from None
    except ValueError as error:
        if str(error).startswith("Exceeds the limit"):  # Python's, on the digits of a number
            raise ValueError("it holds a number of too many digits") from None
        raise
    values: dict[str, Any] = checked(read, _RECORD)
    _check_together(values)
    return values


def _check_together(values: Mapping[str, Any]) -> None:
    """Refuse fields that do not fit each other."""
    for place, figures in _figures(values):
        for prefix in ("", "mask_size_"):
            defective, pixels = (figures.get(f"{prefix}{name}") for name in ("defective_pixels", "pixels"))
            if defective and pixels is not None and defective > pixels:
                raise ValueError(f"{place}.{prefix}defective_pixels is {defective}, of {pixels} pixels")
    for position, band in enumerate(values.get("defect_sizes", ())):
        if (band["found"] or 0) > (band["regions"] or 0):
            raise ValueError(f"defect_sizes[{position}].found is {band['found']}, of {band['regions']} regions")
    steps, stream = values.get("steps", ()), values["cell"].get("stream")
    for position, step in enumerate(steps):
        if len(step["on_each"]) != position + 1:
            raise ValueError(f"steps[{position}].on_each has {len(step['on_each'])} items, not {position + 1}")
    if stream is not None and values["status"] == _DONE and len(steps) != len(stream["steps"]):
        raise ValueError(f"steps has {len(steps)} items, and the stream {len(stream['steps'])} steps")


def _figures(values: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Every object of figures with its place."""
    found = [("metrics", values.get("metrics", {}))]
    for position, step in enumerate(values.get("steps", ())):
        found.append((f"steps[{position}].on_all", step["on_all"]))
        found += [(f"steps[{position}].on_each[{at}]", each) for at, each in enumerate(step["on_each"])]
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no number")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return type(value) is int and -_LARGEST <= value <= _LARGEST


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -_LARGEST <= value <= _LARGEST


def _is_amount(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= _LARGEST


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and -_ROUNDING <= value <= 1 + _ROUNDING


def _is_score(value: Any) -> bool:
    return type(value) in (int, float) and -_LARGEST_SCORE <= value <= _LARGEST_SCORE


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | bool) or _is_number(value)


def _is_strategy(value: Any) -> bool:
    # The report reads the megabytes of an update's budget.
    return isinstance(value, str) and (not value.startswith(UPDATE) or bool(re.fullmatch(r"update=\d{1,9}", value)))


def _or_null(kind: Value) -> Value:
    return Value(f"null or {kind.said}", lambda value: value is None or kind.fits(value))


_DONE = "done"
_TEXT = Value("a text", _is_text)
_FLAG = Value("true or false", lambda value: isinstance(value, bool))
_WHOLE = Value("a whole number of ordinary size", _is_whole)
_COUNT = Value("a whole number from 0, of ordinary size", _is_count)
_NUMBER = Value("a number of ordinary size", _is_number)
_AMOUNT = Value("a number from 0, of ordinary size", _is_amount)
_SCORE = Value("a number of ordinary size", _is_score)
_SCALAR = Value("a text, a number of ordinary size, true, false or null", _is_scalar)
_TEXT_OR_NULL, _FLAG_OR_NULL, _COUNT_OR_NULL = map(_or_null, (_TEXT, _FLAG, _COUNT))
_SHARE_OR_NULL = _or_null(Value("a number from 0 to 1", _is_share))
_NUMBER_OR_NULL = _or_null(_NUMBER)


def _figure(name: str) -> Value:
    """The kind of a figure of `Record.metrics`. A newer flawspot may have others."""
    plain = name.removeprefix("mask_size_")
    if plain in _COUNTS:
        return _COUNT_OR_NULL
    return _SHARE_OR_NULL if plain.startswith(("image_", "pixel_")) else _NUMBER_OR_NULL


def _measure(name: str) -> Value:
    """The kind of a figure of `Record.measured`."""
    return _AMOUNT if any(word in name for word in ("seconds", "latency", "bytes")) else _NUMBER


def _of_machine(name: str) -> Value:
    if name in ("cores", "memory_bytes", "training_threads"):
        return _COUNT_OR_NULL
    return _TEXT_OR_NULL if name in ("system", "processor", "host_hash") else _SCALAR


_STREAM = Fields(
    {
        "name": _TEXT,
        "of": Value(f"{CONDITIONS} or {CATEGORIES}", lambda value: value in (CONDITIONS, CATEGORIES)),
        "steps": Items(_TEXT, least=1),
    },
    may_be_null=True,
)
_CELL = Fields(
    dict.fromkeys(("data", "category", "backbone", "layers", "method", "label"), _TEXT),
    {
        "settings": Named(lambda name: _SCALAR),
        "seed": _COUNT,
        "input_size": _COUNT,
        "normalization": _TEXT,
        "precision": _TEXT,
        "random_weights": _FLAG,
        "stream": _STREAM,
        "strategy": _or_null(Value("a strategy such as frozen, update=64 or anew", _is_strategy)),
        "corruption": _TEXT_OR_NULL,
        "severity": Value("a whole number from 0 to 5", lambda value: _is_count(value) and value <= 5),
        "contamination": Value("a number from 0 to 1", _is_share),
        "shots": _COUNT_OR_NULL,
        "tolerate": _TEXT_OR_NULL,
    },
)
_PART = Fields({"name": _TEXT, "bytes": _COUNT, "macs": _COUNT})
_BAND = Fields(
    {
        "smallest": _AMOUNT,
        "largest": _AMOUNT,
        "regions": _COUNT_OR_NULL,
        "found": _COUNT_OR_NULL,
        "f1_max": _SHARE_OR_NULL,
    },
    {"recall": _SHARE_OR_NULL},
)
_FIGURES = Named(_figure)
_STEP = Fields(
    {
        "on_all": _FIGURES,
        "on_each": Items(_FIGURES),
        "artifact_bytes": _COUNT,
        "kept_bytes": _COUNT,
        "cpu_seconds": _AMOUNT,
    },
    {"name": _TEXT, "images": _COUNT, "threshold": _SCORE, "state_bytes": _COUNT, "seconds": _AMOUNT},
)
_EXAMPLE = Fields(
    {},
    {
        "kind": _TEXT,
        "image": _TEXT,
        "defective": _FLAG,
        "score": _or_null(_SCORE),
        "threshold": _or_null(_SCORE),
        "picture": _TEXT,
    },
)
_TEXTS = ("grid", "data_fingerprint", "weights", "weights_sha256", "code_version", "started", "finished")
_COSTS = ("paper_bytes", "paper_macs", "training_macs", "training_ram", "artifact_bytes", "training_images")
_STATUSES = (_DONE, "failed", "missing")
_RECORD = Fields(
    {
        "key": _TEXT,
        "cell": _CELL,
        "status": Value(", ".join(_STATUSES), lambda value: value in _STATUSES),
    },
    {
        "taps": Items(_WHOLE),
        "metrics": _FIGURES,
        "parts": Items(_PART, most=_MOST_PARTS),
        "measured": Named(_measure),
        "defect_sizes": Items(_BAND),
        "steps": Items(_STEP),
        "examples": Items(_EXAMPLE),
        "trained": _FLAG_OR_NULL,
        "machine": Named(_of_machine),
        "versions": Named(lambda name: _TEXT_OR_NULL),
        **dict.fromkeys(_COSTS, _COUNT_OR_NULL),
        **dict.fromkeys(_TEXTS, _TEXT),
        **dict.fromkeys(("artifact", "error", "traceback"), _TEXT_OR_NULL),
    },
)
