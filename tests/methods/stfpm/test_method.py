"""STFPM and PaSTe: one implementation, against the formulas and a plain training loop."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from flawspot.backbones.block_list import INPUT, initialise
from flawspot.backbones.registry import create
from flawspot.errors import ConfigurationError, DataError, TrainingError
from flawspot.methods.features import FeatureSet
from flawspot.methods.stfpm.head import half_squared_distance
from flawspot.methods.stfpm.method import STFPM
from flawspot.methods.stfpm.paste import PaSTe


@pytest.mark.parametrize("name", ["stfpm", "paste"])
def test_equals_the_formula(name, fitted, make_photographs, one_thread):
    detector = fitted(name)
    method = detector.method
    images = make_photographs(3, seed=9)
    images[1, 5:25, 5:25] = 220
    maps = detector.maps(images)
    with torch.no_grad():
        # The student as a whole network: for PaSTe the teacher's own first blocks, then the trained ones.
        blocks = [*detector.network.blocks[: method.student_.start], *method.student_.blocks]
        x = detector.preprocess(torch.from_numpy(images))
        student = {}
        for index, block in enumerate(blocks):
            x = block(x)
            student[index] = x
        want = np.ones((3, 64, 64))
        for tap in method.shapes_.taps:
            t, s = maps[tap].double().numpy(), student[tap].double().numpy()
            t = t / np.linalg.norm(t, axis=1, keepdims=True)
            s = s / np.linalg.norm(s, axis=1, keepdims=True)
            distance = torch.from_numpy(0.5 * ((t - s) ** 2).sum(1))[:, None]
            want *= F.interpolate(distance, size=(64, 64), mode="bilinear")[:, 0].numpy()
        got, score = method.head()(maps)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * want.max())
    np.testing.assert_allclose(score, want.max(axis=(1, 2)), rtol=1e-4)


def test_paste_with_nothing_shared_is_stfpm(fit_method, one_thread):
    quick = {"epochs": 1, "layers": "paste", "recipe": "paper"}
    one, two = fit_method("stfpm", **quick), fit_method("paste", share=None, **quick)
    for a, b in zip(one.method.student_.parameters(), two.method.student_.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("recipe", ["paper", "fast"])
def test_training_on_cached_features_is_the_plain_loop(fitted, fit_method, make_photographs, one_thread, recipe):
    """Teacher and shared prefix run anew in every step give the same losses."""
    # At 0.4 rounding errors grow a thousandfold within an epoch.
    method = fit_method("paste", epochs=2, recipe=recipe, learning_rate=0.02).method
    network, preprocess = fitted("paste").network, fitted("paste").preprocess
    images = preprocess(torch.from_numpy(make_photographs(12)))
    student = create("mobilenet_v2", method.shapes_.taps).split(6)[1]
    initialise(student, 0)
    optimizer = torch.optim.SGD(student.parameters(), 0.02, momentum=0.9, weight_decay=1e-4)
    # Six steps, of which 0.6 are for warming up and 2.4 for cooling down.
    rates = 0.02 * np.array([1, 1, 1, 1, 2 / 2.4, 1 / 2.4])
    generator = np.random.default_rng(0)
    losses = []
    for _ in range(2):
        student.train()
        total = 0.0
        for rows in np.array_split(generator.permutation(12), 3):
            if recipe == "fast":
                optimizer.param_groups[0]["lr"], rates = rates[0], rates[1:]
            with torch.no_grad():
                teacher = network(images[rows])
            outputs = student(teacher[6])
            loss = sum(half_squared_distance(teacher[tap], outputs[tap]).mean() for tap in method.shapes_.taps)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / 12)
    assert method.training_losses_ == pytest.approx(losses, rel=1e-4)


def test_features_may_lie_channels_last_in_files_and_rows(fitted, make_photographs, one_thread, tmp_path):
    """As a feature cache hands them out; the student is the same."""
    detector = fitted("paste")
    maps = {layer: m.numpy() for layer, m in detector.maps(make_photographs(8)).items()}
    mapped = {}
    for layer, array in maps.items():
        np.save(tmp_path / f"{layer}.npy", array.transpose(0, 2, 3, 1))
        mapped[layer] = np.moveaxis(np.load(tmp_path / f"{layer}.npy", mmap_mode="r"), 3, 1)
    students = []
    for kept in (maps, mapped):
        features = FeatureSet(detector.network, detector.method.shapes_.taps, (64, 64), kept, np.arange(6))
        held_out = FeatureSet(detector.network, detector.method.shapes_.taps, (64, 64), kept, np.array([7, 6]))
        students.append(PaSTe(epochs=2).fit(features, held_out).student_.state_dict())
    assert all(torch.equal(students[0][key], students[1][key]) for key in students[0])


def test_the_best_epoch_on_held_out_images_is_kept(fitted, make_photographs):
    method = fitted("paste").method
    losses = method.validation_losses_
    assert method.best_epoch_ == 1 + int(np.argmin(losses))
    maps = fitted("paste").maps(make_photographs(4, seed=1))
    with torch.no_grad():
        outputs = method.student_(maps[6])
        loss = sum(half_squared_distance(maps[tap], outputs[tap]).mean() for tap in method.shapes_.taps)
    assert loss.item() == pytest.approx(min(losses), rel=1e-4)


def test_paste_shares_all_before_the_first_tap():
    assert PaSTe().source_layer((7, 10, 14), "mobilenet_v2") == 6  # as the paper, section 4.5
    assert PaSTe().required((7, 10, 14), "mobilenet_v2") == (6, 7, 10, 14)
    assert PaSTe(share=3).required((7, 10, 14), "mobilenet_v2") == (3, 7, 10, 14)
    assert PaSTe().source_layer((10, 13, 16), "mobilenet_v2") == 6
    assert PaSTe().source_layer((4, 7, 10), "mobilenet_v2") == 3
    assert PaSTe().source_layer((1, 2, 3), "wide_resnet50_2") == 0
    assert STFPM().required((3, 8, 14), "mobilenet_v2") == (INPUT, 3, 8, 14)


def test_the_manifest_tells_the_values_used(fitted):
    assert PaSTe().hyperparameters()["share"] == "auto"
    used = fitted("paste").method.hyperparameters()
    assert (used["share"], used["epochs"], used["batch_size"], used["learning_rate"]) == (6, 30, 4, 0.4)
    assert fitted("stfpm").method.hyperparameters()["share"] is None


def test_what_is_shared_is_stored_once(fitted):
    """The student of PaSTe is blocks 7 to 14: 642,304 parameters (reference of table 2)."""
    student = fitted("paste").method.student_
    assert (student.start, student.last) == (7, 14)
    assert sum(p.numel() for p in student.parameters()) == 642_304


@pytest.mark.parametrize("share", [7, 14])
def test_a_tap_within_the_shared_blocks_is_refused(share):
    with pytest.raises(ConfigurationError, match="share at most 6"):
        PaSTe(share=share).required((7, 10, 14), "mobilenet_v2")


@pytest.mark.parametrize(
    "settings",
    [{"share": "some"}, {"recipe": "slow"}, {"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"share": -1}],
)
def test_settings_out_of_range(settings):
    with pytest.raises(ConfigurationError):
        PaSTe(**settings)


def test_without_held_out_images_it_says_so(fitted, make_photographs):
    detector = fitted("paste")
    maps = {layer: m.numpy() for layer, m in detector.maps(make_photographs(3)).items()}
    features = FeatureSet(detector.network, detector.method.shapes_.taps, (64, 64), maps)
    with pytest.raises(DataError, match="held-out"):
        PaSTe(epochs=1).fit(features)


def test_divergence_is_an_error_not_a_detector(fit_method, one_thread):
    with pytest.raises(TrainingError, match="lower learning_rate"):
        fit_method("paste", learning_rate=1e30, epochs=1)


def test_the_teacher_is_not_changed(fitted, fit_method, one_thread):
    detector = fitted("paste")
    before = copy.deepcopy(detector.network.state_dict())
    fit_method("paste", epochs=1)
    assert all(torch.equal(before[key], value) for key, value in detector.network.state_dict().items())
