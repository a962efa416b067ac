"""A jury that is updated: its members' maps are on the scales that they have now."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import flawspot
from flawspot.methods.jury.scales import COMBINATION, OFFSET, WIDTH, scale_of
from flawspot.runtime.artifact import read
from flawspot.runtime.cutting import value_beside
from flawspot.runtime.seen import Mind, Seen, layers_of
from flawspot.runtime.state import VALIDATION, beside, read_state

from .conftest import folder

MEMBERS = "padim:channels=4 + patchcore:bank_size=100"


@pytest.fixture(scope="module", params=["fisher", "sum"])
def updated(request, tmp_path_factory):
    """The old and the new detector's file, and the report."""
    place = tmp_path_factory.mktemp("jury")
    flawspot.train(
        folder(place / "good", 24),
        method="jury",
        settings={"members": MEMBERS, "rule": request.param},
        layers=(1, 2, 3),
        random_weights=True,
        input_size=32,
        state=True,
        output=place / "old.onnx",
        progress=False,
    )
    more = folder(place / "more", 20, first=100, light=1.2)
    done = flawspot.update(place / "old.onnx", more, output=place / "new.onnx", progress=False)
    return place / "old.onnx", place / "new.onnx", request.param, done.report


def constants(path):
    graph = onnx.load_from_string(read(path).model).graph
    return {each.name: numpy_helper.to_array(each) for each in graph.initializer}


def test_its_scales_are_those_of_the_held_out_photographs_of_both_days(updated):
    old, new, rule, report = updated
    before, after, model = constants(old), constants(new), read(new).model
    held_out = read_state(beside(new)).of(VALIDATION)
    assert any(f"those of {len(held_out)} held-out photographs" in line for line in report.told)
    for number in (0, 1):
        names = [f"head.{COMBINATION}{name}{number}" for name in (OFFSET, WIDTH)]
        mind = Mind(model, layers_of(model), values=[value_beside(model, names[0])])
        maps = [mind.values(Seen(*held_out.photograph(row)))[0].ravel() for row in range(len(held_out))]
        want = scale_of(np.concatenate(maps), "member").by(rule)
        np.testing.assert_allclose([after[name] for name in names], want, rtol=1e-5)
        assert all(before[name] != after[name] for name in names)


def test_a_jury_of_before_keeps_its_scales(updated, tmp_path, monkeypatch):
    old, _, _, _ = updated
    monkeypatch.setattr("flawspot.methods.jury.updating.names_of_stores", lambda model: [])
    report = flawspot.update(old, folder(tmp_path / "more", 8, first=200), progress=False).report
    assert any("the scales of the members' maps stay" in line for line in report.told)


def test_a_photograph_scores_as_its_members_maps_say(updated):
    """The graph with new scales runs, and a good part of the new days is not far above what is held out."""
    _, new, _, report = updated
    assert report.new_alarms <= report.held_out
    assert flawspot.load(new).manifest.updates[-1].validation_images > 0
