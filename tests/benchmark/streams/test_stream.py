"""A stream in a cell: its key, its words, and what came before there were streams."""

import dataclasses
import json

import pytest

from flawspot.benchmark.record import Cell, Record, run_key
from flawspot.benchmark.streams.passes import passes
from flawspot.benchmark.streams.stream import (
    ANEW,
    CATEGORIES,
    FROZEN,
    Stream,
    budget,
    for_people,
    severities,
    with_budget,
)

STEPS = tuple(
    {
        "name": name,
        "on_all": {"a": 0.5},
        "on_each": [{"a": None}] * (position + 1),
        "artifact_bytes": 5,
        "kept_bytes": 4,
        "cpu_seconds": 0.5,
    }
    for position, name in enumerate(("none", "brightness=2", "noise=2+shift=3"))
)
PRODUCTS = Stream(name="products", of=CATEGORIES, steps=("bottle", "pill"))


def key(cell):
    return run_key(cell, data_fingerprint="d", weights_sha256="w", code_version="c")


@pytest.mark.parametrize(
    ("changed", "before"),
    [
        ({}, "55f9d488fc83d590d47788bdf8d6f7f88bd8464eab51d07fae3ef385fbfcf33b"),
        (
            {"settings": {"channels": 5}, "seed": 3, "corruption": "blur", "severity": 2},
            "5eafe2b0606de89e4b09e122d455b0e42b531c41b43bc2ea9a42ecd08c49744f",
        ),
        ({"contamination": 0.1}, "49b64b0ea8f83ee0e774794ab3b65624867ebe2cd1ff86d2698362252c97e35d"),
        (
            {"shots": 5, "random_weights": True, "precision": "int8"},
            "02d222919f5f1d892523af7f60d5d4a34d7ee43a993fa662cea97d416a1df6b8",
        ),
    ],
)
def test_runs_without_a_stream_have_the_keys_that_they_had_before_there_were_any(cell, changed, before):
    assert key(cell(**changed)) == before


def test_all_of_a_stream_decides_the_key_but_its_name(cell, light):
    plain = cell(stream=light, strategy=ANEW)
    others = [
        cell(stream=light, strategy=FROZEN),
        cell(stream=light, strategy=with_budget(16)),
        cell(stream=light, strategy=with_budget(1)),
        cell(stream=dataclasses.replace(light, steps=light.steps[:2]), strategy=ANEW),
        cell(stream=dataclasses.replace(light, steps=light.steps[::-1]), strategy=ANEW),
        cell(stream=dataclasses.replace(light, of=CATEGORIES), strategy=ANEW),
        cell(),
    ]
    assert len({key(each) for each in [plain, *others]}) == len(others) + 1
    assert key(cell(stream=dataclasses.replace(light, name="lamp"), strategy=ANEW)) == key(plain)


def test_a_record_comes_back_as_it_was_stored(record, cell, light):
    kept = record(cell=cell(stream=light, strategy=with_budget(4)), steps=STEPS)
    assert Record.from_json(kept.to_json()) == kept
    assert kept.cell.variation == "stream light (none, brightness=2, noise=2+shift=3), update, 4 MB"


def test_records_of_before_have_no_stream(record):
    values = json.loads(record().to_json())
    del values["steps"], values["cell"]["stream"], values["cell"]["strategy"]
    old = Record.from_json(json.dumps(values))
    assert (old.cell.stream, old.cell.strategy, old.steps) == (None, None, ())


def test_a_stream_of_categories_looks_at_all_of_them(cell):
    assert cell().categories == ("bottle",)
    assert cell(category="bottle then pill", stream=PRODUCTS, strategy=ANEW).categories == ("bottle", "pill")


def test_words():
    assert severities("none") == {}
    assert severities("brightness=2+noise=1") == {"brightness": 2, "noise": 1}
    assert [budget(each) for each in (FROZEN, ANEW, "update=16")] == [None, None, 16]
    assert [for_people(each) for each in (FROZEN, "update=16")] == ["frozen", "update, 16 MB"]


def test_passes_are_the_photographs_learned_from_and_tested_on(cell, light):
    def of(strategy, stream=light):
        return passes(Cell(**{**vars(cell()), "stream": stream, "strategy": strategy}), 30, 10)

    assert passes(cell(), 30, 10) == [(30, 10)]
    assert of(FROZEN) == [(10, 30)]
    assert of(with_budget(16)) == [(10, 10), (10, 20), (10, 30)]
    assert of(ANEW) == [(10, 10), (20, 20), (30, 30)]
    assert of(ANEW, PRODUCTS) == [(30, 10), (60, 20)]
