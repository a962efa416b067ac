"""From an artifact, its state and new photographs to a new artifact."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.errors import ArtifactError, ConfigurationError, DataError, FlawspotError
from flawspot.methods.updating import updating_of
from flawspot.runtime.artifact import read
from flawspot.runtime.state import CALIBRATION, beside, read_state

from .conftest import folder, picture


def update(part, data, **more):
    return flawspot.update(part, data, progress=False, **more)


def verdicts(artifact, images):
    return [flawspot.load(artifact).predict(image).verdict for image in images]


def test_a_new_artifact_with_its_state(part, tmp_path):
    new = folder(tmp_path / "new", 10, first=100, light=0.6)
    before = part.read_bytes(), beside(part).read_bytes()
    found = update(part, new, output=tmp_path / "part2.onnx")
    assert (part.read_bytes(), beside(part).read_bytes()) == before
    written = read(tmp_path / "part2.onnx")
    assert written.manifest == found.artifact.manifest
    (step,) = written.manifest.updates
    assert step.warnings == found.report.warnings != ()  # all of them are anomalous to the old detector
    assert (step.images, step.calibration_images, step.validation_images) == (8, 2, 0)
    state = read_state(tmp_path / "part2.state")
    assert len(state.of(CALIBRATION)) == len(written.manifest.calibration.scores) == 6
    assert len(state.known) == 30
    assert (found.report.learned, found.report.held_out, found.report.old_held_out) == (8, 2, 4)


def test_what_is_new_becomes_good_and_what_was_good_stays_so(part, tmp_path):
    # A share of 0.2 is asked: some held-out photograph is always above.
    new = folder(tmp_path / "new", 16, first=100, light=0.6)
    found = update(part, new, false_alarm_rate=0.05)
    dark, usual = ([picture(seed, light) for seed in range(200, 208)] for light in (0.6, 1.0))
    assert verdicts(part, dark) == ["anomalous"] * 8
    assert verdicts(found.artifact, dark).count("good") >= 7
    assert verdicts(found.artifact, usual).count("good") >= 7
    defect = picture(300)
    defect[10:20, 10:20] = 255
    assert verdicts(found.artifact, [defect]) == ["anomalous"]


def test_all_bad_or_all_changed_is_told_where_nobody_stands_out(part, tmp_path):
    changed = update(part, folder(tmp_path / "changed", 8, first=100, light=0.3))
    assert changed.report.anomalous_before == 8
    assert changed.report.suspects == ()
    usual = update(part, folder(tmp_path / "usual", 8, first=100))
    assert usual.report.anomalous_before < 4


def test_photographs_that_are_known_change_nothing(part):
    found = update(part, part.parent / "good")
    assert found.artifact.model == part.read_bytes()
    assert found.report.known == 20
    assert found.report.learned == found.report.held_out == 0
    assert "nothing is new" in found.report.told[0]


def test_nothing_is_written_where_nothing_is_new(part, tmp_path):
    update(part, part.parent / "good", output=tmp_path / "part2.onnx")
    assert not (tmp_path / "part2.onnx").exists()


def test_the_same_photographs_twice_are_learned_once(part, tmp_path):
    new = folder(tmp_path / "new", 5, first=100)
    first = update(part, new)
    second = update(first.artifact, new)
    assert second.artifact is first.artifact


def test_one_photograph_is_an_update(part, tmp_path):
    found = update(part, folder(tmp_path / "new", 1, first=100))
    assert (found.report.learned, found.report.held_out) == (1, 0)


def test_updates_go_on(part, tmp_path):
    first = update(part, folder(tmp_path / "one", 6, first=100, light=0.8))
    second = update(first.artifact, folder(tmp_path / "two", 6, first=200, light=0.6))
    assert len(second.artifact.manifest.updates) == 2
    assert second.artifact.state.learned.keys() == first.artifact.state.learned.keys()


def test_the_same_update_makes_the_same_graph(part, tmp_path):
    new = folder(tmp_path / "new", 6, first=100)
    one, other = update(part, new), update(part, new)
    assert one.artifact.manifest.graph_sha256 == other.artifact.manifest.graph_sha256
    assert one.artifact.manifest.calibration == other.artifact.manifest.calibration


def test_old_held_out_photographs_are_scored_by_the_new_detector(part, tmp_path):
    found = update(part, folder(tmp_path / "new", 6, first=100, light=0.6))
    calibration = found.artifact.manifest.calibration
    detector = flawspot.load(found.artifact)
    good = part.parent / "good"
    for name, score in zip(calibration.names, calibration.scores, strict=True):
        path = good / name if (good / name).exists() else tmp_path / "new" / name
        # Features of old ones were kept in half precision.
        np.testing.assert_allclose(detector.predict(path).score, score, rtol=5e-3)


def test_the_state_of_another_detector_is_refused(trained, tmp_path):
    new = folder(tmp_path / "new", 2, first=100)
    with pytest.raises(ArtifactError, match="belongs to another detector"):
        update(trained("padim"), new, state=beside(trained("patchcore")))


def test_an_artifact_without_a_state_is_refused(part, tmp_path):
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(part.read_bytes())
    with pytest.raises(ArtifactError, match="train --state"):
        update(copy, folder(tmp_path / "new", 2, first=100))
    with pytest.raises(ConfigurationError, match="has no state with it"):
        update(read(copy), tmp_path / "new")


def test_another_threshold_is_no_other_detector(part, tmp_path):
    changed = read(part).recalibrated(0.5)
    changed.save(tmp_path / "part.onnx")
    found = update(tmp_path / "part.onnx", folder(tmp_path / "new", 3, first=100), state=beside(part))
    assert found.artifact.manifest.calibration.false_alarm_rate == 0.5


def test_its_own_place_is_no_place_for_the_output(part, tmp_path):
    with pytest.raises(ConfigurationError, match="is the artifact to update"):
        update(part, folder(tmp_path / "new", 2, first=100), output=part)


def test_the_old_state_stays_whatever_the_output_is_called(part, tmp_path):
    new = folder(tmp_path / "new", 2, first=100)
    model = tmp_path / "part.model"
    model.write_bytes(part.read_bytes())
    (tmp_path / "part.state").write_bytes(beside(part).read_bytes())
    (tmp_path / "link.onnx").symlink_to(model)
    for artifact, state, output in (
        (model, None, "part.onnx"),
        (part, tmp_path / "part.state", "part.onnx"),
        (model, None, "link.onnx"),
    ):
        with pytest.raises(ConfigurationError, match="give another name"):
            update(artifact, new, state=state, output=tmp_path / output)
    assert (tmp_path / "part.state").read_bytes() == beside(part).read_bytes()


def test_a_full_disk_leaves_neither_artifact_nor_state(part, tmp_path, monkeypatch):
    found = update(part, folder(tmp_path / "new", 2, first=100))
    place = tmp_path / "out"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flawspot.runtime.state.write_tensors", full)
    with pytest.raises(FlawspotError, match="No space left"):
        found.artifact.save(place / "part2.onnx")
    assert not list(place.iterdir())


@pytest.mark.parametrize("more", [{"seed": -1}, {"seed": 2**70}, {"false_alarm_rate": 2.0}], ids=str)
def test_numbers_out_of_their_range_are_refused_before_any_work(tmp_path, more):
    with pytest.raises(ConfigurationError):
        update(tmp_path / "none.onnx", tmp_path, **more)


def test_an_empty_folder_is_refused(part, tmp_path):
    (tmp_path / "new").mkdir()
    with pytest.raises(DataError):
        update(part, tmp_path / "new")


@pytest.mark.parametrize("share", [0, 1, -1, float("nan")])
def test_a_share_that_is_none_is_refused(part, tmp_path, share):
    with pytest.raises(ConfigurationError, match="calibration fraction"):
        update(part, tmp_path, calibration_fraction=share)


def test_what_cannot_be_read_is_told(part, tmp_path):
    new = folder(tmp_path / "new", 4, first=100)
    (new / "broken.png").write_bytes(b"nothing")
    assert update(part, new).report.not_inspected == ("broken.png",)


def test_bad_parts_among_the_new_ones_are_named(part, tmp_path):
    new = folder(tmp_path / "new", 20, first=100)
    for path in sorted(new.iterdir()):
        image = np.array(Image.open(path))
        if path.name == "103.png":
            image[5:30, 5:30] = 255
            Image.fromarray(image).save(path)
    assert "103.png" in update(part, new).report.suspects


def test_a_bad_part_that_sets_the_threshold_is_named(part, tmp_path):
    """It was held out, so that it was not learned, but makes the threshold too high."""
    new = folder(tmp_path / "new", 20, first=100)
    clean = update(part, new)
    held_out = next(name for name in clean.artifact.manifest.calibration.names if name[:1] == "1")
    image = np.array(Image.open(new / held_out))
    image[5:30, 5:30] = 255
    Image.fromarray(image).save(new / held_out)
    found = update(part, new).report
    assert held_out in found.suspects
    assert found.threshold_without < found.threshold
    assert clean.report.threshold_without is None
    assert found.pasted == 20
    assert found.pasted_found <= clean.report.pasted_found
    assert 0 < clean.report.pasted_found_before <= 20
    assert 0 < clean.report.pasted_alike.before <= 20


def test_the_old_detector_calls_none_of_those_anomalous_that_set_its_threshold(part, tmp_path):
    """Though the features that are kept of them are rounded."""
    report = update(part, folder(tmp_path / "new", 6, first=100)).report
    assert (report.old_held_out, report.old_alarms_before) == (4, 0)


@pytest.mark.slow
@pytest.mark.parametrize("more", [{"tiles": (1, 2)}, {"roi": "4,4 40,40"}, {"fit": "pad"}], ids=str)
def test_tiles_and_regions(trained, tmp_path, more):
    part = trained("padim" if "tiles" in more else "patchcore", **more)
    found = update(part, folder(tmp_path / "new", 6, first=100, light=0.7))
    assert found.report.learned == 5
    dark = [picture(seed, 0.7) for seed in range(200, 206)]
    before, after = ([flawspot.load(each).predict(image).score for image in dark] for each in (part, found.artifact))
    assert max(after) < min(before)


def test_it_needs_no_torch_and_no_onnx(part, tmp_path):
    new = folder(tmp_path / "new", 4, first=100)
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'numba', 'onnxscript'): sys.modules[name] = None\n"
        "import flawspot\n"
        f"found = flawspot.update({str(part)!r}, {str(new)!r}, output={str(tmp_path / 'new.onnx')!r}, progress=False)\n"
        "assert found.report.learned == 3\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_manifest_still_reads_and_is_checked(part, tmp_path):
    found = update(part, folder(tmp_path / "new", 3, first=100))
    manifest = found.artifact.manifest
    assert type(manifest).from_json(manifest.to_json()) == manifest
    broken = dataclasses.replace(manifest, updates=(dataclasses.replace(manifest.updates[0], images=-1),))
    with pytest.raises(ArtifactError, match="updates"):
        type(manifest).from_json(broken.to_json())


def test_a_threshold_that_was_set_by_hand_is_told_to_be_gone(part, tmp_path):
    read(part).with_threshold(123.0).save(tmp_path / "part.onnx")
    found = update(tmp_path / "part.onnx", folder(tmp_path / "new", 3, first=100), state=beside(part))
    assert any("set by hand" in line for line in found.report.told)
    assert found.artifact.manifest.calibration.rule == "conformal"


@pytest.mark.parametrize(
    ("trouble", "told"),
    [("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried", MemoryError), ("a shape", ArtifactError)],
)
def test_memory_that_torch_does_not_get_is_not_called_a_damaged_state(part, tmp_path, monkeypatch, trouble, told):
    def finish(*_):
        raise RuntimeError(trouble)

    monkeypatch.setattr(updating_of(flawspot.load(part).manifest.method), "finish", finish)
    with pytest.raises(told):
        update(part, folder(tmp_path / "new", 6, first=100))
