"""The old and the new detector, compared for a person who decides whether to use the new one."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.runtime.artifact import read
from flawspot.runtime.state import beside, read_state
from flawspot.updating import road

from .conftest import folder


def update(part, data):
    return flawspot.update(part, data, progress=False)


def test_an_update_that_harms_is_called_worse(part, tmp_path, monkeypatch):
    """What was learned is put into disorder. The same update by itself is not called so."""
    new = folder(tmp_path / "new", 20, first=100)
    assert not update(part, new).report.worse
    write, generator = road.with_stores, np.random.default_rng(0)

    def disordered(model, stores):
        return write(model, {name: generator.permutation(a.ravel()).reshape(a.shape) for name, a in stores.items()})

    monkeypatch.setattr(road, "with_stores", disordered)
    report = update(part, new).report
    assert report.worse
    assert any(line.startswith("learning has made it worse") for line in report.warnings)
    assert report.pasted_alike.lost == report.pasted_alike.before > report.pasted_alike.now


def test_where_good_parts_have_changed_it_is_not_called_worse(part, tmp_path):
    """The old detector calls all of them anomalous, so that it finds no defect on them."""
    report = update(part, folder(tmp_path / "new", 20, first=100, light=0.3)).report
    assert report.anomalous_before == 20
    assert report.pasted_found_before == 20
    assert report.pasted_alone.before == 0
    assert report.pasted_alike.before < 10
    assert not report.finds_fewer
    assert not report.worse


@pytest.mark.parametrize("rule", ["conformal", "pareto"])
def test_bad_parts_are_named_by_either_rule(trained, tmp_path, rule):
    part = trained("padim")
    new = folder(tmp_path / "new", 100, first=100)
    held_out = update(part, new).artifact.manifest.calibration.names
    bad = [name for name in held_out if name[:1] == "1"][:2]
    for name in bad:
        image = np.array(Image.open(new / name))
        image[5:30, 5:30] = 255
        Image.fromarray(image).save(new / name)
    artifact = read(part)
    changed = dataclasses.replace(artifact.manifest.calibration, rule=rule)
    manifest = dataclasses.replace(artifact.manifest, calibration=changed)
    report = update(dataclasses.replace(artifact, manifest=manifest, state=read_state(beside(part))), new).report
    assert set(bad) <= set(report.suspects)
    assert report.threshold_without is not None
    assert report.threshold_without < report.threshold
    # At a rate of 0.2 the four highest of 24 are above it anyway; a tail that is fitted to them is far higher.
    assert report.finds_fewer == (rule == "pareto")
