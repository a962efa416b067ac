"""A stored run is checked when it is read: types, ranges, and what must fit together."""

import dataclasses
import json
import re

import pytest

from flawspot.benchmark import record_checks
from flawspot.benchmark.record import DONE, FAILED, MISSING, Cell, Record
from flawspot.benchmark.streams.stream import Stream
from flawspot.runtime.manifest import Part

GONE = "(the field is gone)"
FIGURES = {"image_auroc": 0.9, "images": 20}
STEP = {
    "name": "none", "images": 5, "on_all": FIGURES, "threshold": -1.5, "artifact_bytes": 9, "state_bytes": 0,
    "kept_bytes": 3, "seconds": 1.5, "cpu_seconds": 1.25,
}  # fmt: skip
EXAMPLE = {"kind": "best", "image": "a.png", "defective": True, "score": 2.5, "threshold": -1.0, "picture": "a.jpg"}


@pytest.fixture
def whole(record, cell):
    """The record of a stream's run with every field, as plain values."""
    stream = Stream(name="light", of="conditions", steps=("none", "noise=2"))
    steps = tuple({**STEP, "on_each": [FIGURES] * count} for count in (1, 2))
    found = record(
        cell=cell(stream=stream, strategy="update=64", settings={"bank_size": 9, "recipe": "short"}),
        steps=steps,
        examples=(EXAMPLE,),
        machine={"system": "Linux", "cores": 2, "host_hash": "h"},
        versions={"python": "3.12"},
        metrics={"pixel_f1_max": 0.5, "pixels": 100, "defective_pixels": 10, "mask_size_pixels": 9, "new": -3.5},
    )
    return json.loads(found.to_json())


def changed(values, place, value):
    """The values with another one at the place, or without it."""
    at = values
    for part in place[:-1]:
        at = at[part]
    if value == GONE:
        del at[place[-1]]
    else:
        at[place[-1]] = value
    return json.dumps(values)


def test_a_whole_record_is_read_as_it_was(whole):
    assert json.loads(Record.from_json(json.dumps(whole)).to_json()) == whole


WRONG = [
    (("key",), 5, "key is 5, not a text"),
    (("key",), GONE, "key is missing"),
    (("status",), "ove", 'status is "ove", not done, failed, missing'),
    (("status",), ["done"], "status is a list"),
    (("cell",), "x", 'cell is "x", not an object'),
    (("cell", "data"), GONE, "cell.data is missing"),
    (("cell", "seed"), -1, "cell.seed is -1, not a whole number from 0"),
    (("cell", "seed"), True, "cell.seed is true"),
    (("cell", "seed"), 1.0, "cell.seed is 1.0"),
    (("cell", "settings", "recipe"), ["short"], "cell.settings.recipe is a list"),
    (("cell", "settings"), [], "cell.settings is an empty list"),
    (("cell", "random_weights"), 1, "cell.random_weights is 1, not true or false"),
    (("cell", "severity"), 6, "cell.severity is 6, not a whole number from 0 to 5"),
    (("cell", "contamination"), 1.5, "cell.contamination is 1.5, not a number from 0 to 1"),
    (("cell", "stream"), "x", 'cell.stream is "x"'),
    (("cell", "stream", "of"), "x", 'cell.stream.of is "x", not conditions or categories'),
    (("cell", "stream", "steps"), [], "cell.stream.steps is an empty list"),
    (("cell", "stream", "steps"), ["none"], "steps has 2 items, and the stream 1 steps"),
    (("cell", "strategy"), "update=x", 'cell.strategy is "update=x"'),
    (("taps",), [1, "x"], 'taps[1] is "x", not a whole numbe'),
    (("metrics",), [], "metrics is an empty list, not an object"),
    (("metrics", "pixel_f1_max"), 1.5, "metrics.pixel_f1_max is 1.5, not null or a number from 0 to 1"),
    (("metrics", "pixel_f1_max"), True, "metrics.pixel_f1_max is true"),
    (("metrics", "pixel_f1_max"), "0.5", 'metrics.pixel_f1_max is "0.5"'),
    (("metrics", "mask_size_pixel_ap"), -0.5, "metrics.mask_size_pixel_ap is -0.5"),
    (("metrics", "mask_size_pixels"), -1, "metrics.mask_size_pixels is -1"),
    (("metrics", "images"), 0.5, "metrics.images is 0.5, not null or a whole number from 0"),
    (("metrics", "images"), 10**400, "metrics.images is 1000"),
    (("metrics", "new"), 1e300, "metrics.new is 1e+300, not null or a number of ordinary size"),
    (("metrics", "defective_pixels"), 101, "metrics.defective_pixels is 101, of 100 pixels"),
    (("parts", 0, "bytes"), -1, "parts[0].bytes is -1"),
    (("parts", 0, "macs"), 1.5, "parts[0].macs is 1.5"),
    (("parts", 0, "name"), GONE, "parts[0].name is missing"),
    (("parts", 0), "x", 'parts[0] is "x", not an object'),
    (("measured", "latency_ms"), -1, "measured.latency_ms is -1, not a number from 0"),
    (("measured", "run_seconds"), None, "measured.run_seconds is null"),
    (("measured", "peak_rss_bytes"), "x", 'measured.peak_rss_bytes is "x"'),
    (("paper_macs",), -5, "paper_macs is -5"),
    (("training_images",), 2.5, "training_images is 2.5"),
    (("trained",), "yes", 'trained is "yes"'),
    (("defect_sizes", 0, "found"), GONE, "defect_sizes[0].found is missing"),
    (("defect_sizes", 0, "found"), 4, "defect_sizes[0].found is 4, of 3 regions"),
    (("defect_sizes", 0, "largest"), -5, "defect_sizes[0].largest is -5"),
    (("steps", 1, "on_each"), [FIGURES], "steps[1].on_each has 1 items, not 2"),
    (("steps", 0, "cpu_seconds"), GONE, "steps[0].cpu_seconds is missing"),
    (("steps", 0, "on_all"), {"image_auroc": 2}, "steps[0].on_all.image_auroc is 2"),
    (("examples", 0, "score"), "x", 'examples[0].score is "x"'),
    (("examples", 0), None, "examples[0] is null, not an object"),
    (("machine", "cores"), "two", 'machine.cores is "two"'),
    (("machine", "host_hash"), 5, "machine.host_hash is 5"),
    (("versions", "python"), 3.12, "versions.python is 3.12"),
    (("finished",), None, "finished is null, not a text"),
    (("error",), 5, "error is 5"),
    (("metrics", "new"), float("nan"), "it holds NaN, which is no numbe"),
    (("metrics", "invented"), float("-inf"), "it holds -Infinity"),
]


@pytest.mark.parametrize(("place", "value", "told"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_field_is_named(whole, place, value, told):
    with pytest.raises(ValueError, match=f"^{re.escape(told)}"):
        Record.from_json(changed(whole, place, value))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "it is an empty list, not an object"),
        ("5", "it is 5, not an object"),
        ("{nope", "it is not JSON"),
        ("", "it is not JSON"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"key": ' + "9" * 5000 + "}", "it holds a number of too many digits"),
    ],
)
def test_what_is_no_record_is_said(text, told):
    with pytest.raises(ValueError, match=f"^{told}"):
        Record.from_json(text)


def test_a_field_that_only_a_newer_flawspot_knows_is_left_out_at_any_depth(whole):
    deep = "[" * 300 + "]" * 300
    before = Record.from_json(json.dumps(whole))
    for place in ((), ("cell",), ("cell", "stream"), ("parts", 0), ("steps", 0), ("defect_sizes", 0), ("examples", 0)):
        at = whole
        for part in place:
            at = at[part]
        at["invented_later"] = json.loads(deep)
    assert Record.from_json(json.dumps(whole)) == before


def test_of_an_older_record_only_what_decides_is_needed(whole):
    values = {name: whole[name] for name in ("key", "status", "cell")}
    values["status"] = FAILED
    for name in set(values["cell"]) - {"data", "category", "backbone", "layers", "method", "label"}:
        del values["cell"][name]
    cell = Cell(**values["cell"])
    assert Record.from_json(json.dumps(values)) == Record(key="k", status=FAILED, cell=cell)


def test_every_field_of_a_record_is_known_to_its_check():
    kinds = {
        Record: record_checks._RECORD, Cell: record_checks._CELL, Stream: record_checks._STREAM,
        Part: record_checks._PART,
    }  # fmt: skip
    for kind, fields in kinds.items():
        assert {one.name for one in dataclasses.fields(kind)} == {*fields.needed, *fields.others}
        needed = {one.name for one in dataclasses.fields(kind) if one.default is one.default_factory}
        assert needed == set(fields.needed)
    assert set(record_checks._STATUSES) == {DONE, FAILED, MISSING}
