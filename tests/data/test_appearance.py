import random

import numpy as np
import pytest

from flawspot.data.appearance import FIRST, SIDE, UNITS, Appearance
from flawspot.data.corruptions import corrupt
from flawspot.errors import ArtifactError
from flawspot.runtime.reduced import prepare
from flawspot.runtime.tensors import read_tensors, write_tensors


def part(generator):
    """A round part that lies nearly in the middle, with noise."""
    y, x = np.mgrid[:96, :128] / 96 - 0.5
    inside = np.hypot(x - 0.17 + generator.normal(0, 0.002), y + generator.normal(0, 0.002)) < 0.3
    grey = 60 + 90 * inside + 20 * np.sin(40 * x) * inside + generator.normal(0, 3, (96, 128)) + generator.normal(0, 1)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def changes(name, severity, *, after=150, count=400):
    generator, appearance = np.random.default_rng(0), Appearance()
    for number in range(count):
        image = part(generator)
        if number >= after and severity:
            image = corrupt(image, name, severity, seed=1)
        appearance.add(prepare(image, 128))
    return appearance.changes


def test_what_stays_is_not_told():
    assert changes("blur", 0, count=1500) == []


@pytest.mark.parametrize(
    ("corruption", "measures"),
    [
        ("brightness", {"brightness", "contrast"}),
        ("blur", {"sharpness"}),
        ("noise", {"sharpness"}),
        ("contrast", {"contrast"}),
        ("shift", {"shift across", "shift down"}),
    ],
)
def test_what_changes_is_told_first(corruption, measures):
    found = changes(corruption, 2)
    assert found[0].name in measures
    assert found[0].deviations > 2
    assert str(found[0]).startswith(f"{found[0].name} {found[0].before:.3g} -> ")


def test_a_shift_is_measured():
    generator, appearance = np.random.default_rng(0), Appearance()
    for number in range(300):
        image = part(generator)
        appearance.add(prepare(np.roll(image, (3, -5), (0, 1)) if number >= 100 else image, 128))
    found = {change.name: change.now for change in appearance.changes}
    assert found["shift down"] == pytest.approx(100 * 3 / 96, abs=0.5)
    assert found["shift across"] == pytest.approx(100 * -5 / 128, abs=0.5)


def test_the_first_are_what_later_ones_are_held_against():
    generator, appearance = np.random.default_rng(0), Appearance()
    for _ in range(FIRST):
        appearance.add(prepare(part(generator), 128))
    assert appearance.changes == []
    assert set(appearance.evidence.values()) == {0.0}
    assert not appearance.alarm


def restored(appearance):
    """From a file."""
    return Appearance.restored(read_tensors(b"".join(write_tensors(appearance.as_arrays(), {})))[0])


@pytest.mark.parametrize("when", [0, 5, FIRST, 130])
def test_what_is_restored_goes_on_as_if_never_interrupted(monkeypatch, when):
    monkeypatch.setattr(random.Random, "uniform", lambda self, low, high: (low + high) / 2)  # as it is drawn anew
    generator, whole, appearance = np.random.default_rng(0), Appearance(), Appearance()
    for number in range(200):
        photograph = prepare(np.roll(part(generator), 4 * (number >= 100), 0), 128)
        if number == when:
            appearance = restored(appearance)
        whole.add(photograph)
        appearance.add(photograph)
    assert appearance.changes == whole.changes != []
    assert appearance.evidence == whole.evidence
    assert max(whole.evidence, key=lambda name: whole.evidence[name]) == "shift down"
    assert appearance.alarm


GREY = np.full((SIDE, SIDE), 5, np.float32)


@pytest.mark.parametrize(
    "damage",
    [
        {"mean": GREY[:-1]},
        {"mean": GREY.astype(np.float64)},
        {"mean": GREY + 251},
        {"mean": GREY * np.float32("nan")},
        {"sharpness/before": np.array([1.0, -1.0])},
        {"sharpness/before": np.array([1e300, 1.0])},
        {"sharpness/before": None},
        {"shift down/recent": np.full(5, 1e200)},
        {"shift down/recent": np.zeros(4)},
        {"contrast/test/seen": np.array([4])},
        {"contrast/test/scores": None},
    ],
)
def test_hostile_arrays_are_no_appearance(damage):
    generator, appearance = np.random.default_rng(0), Appearance()
    for _ in range(FIRST + 5):
        appearance.add(prepare(part(generator), 128))
    arrays = appearance.as_arrays()
    assert len(arrays) == 1 + 6 * len(UNITS)
    with pytest.raises(ArtifactError, match="damaged"):
        Appearance.restored({name: array for name, array in {**arrays, **damage}.items() if array is not None})


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"first": GREY},
        {"first": np.stack([GREY] * FIRST)},
        {"first": np.stack([GREY - 6])},
        {"first": np.stack([GREY * np.float32("inf")])},
    ],
)
def test_hostile_first_photographs_are_refused(arrays):
    with pytest.raises(ArtifactError, match="damaged"):
        Appearance.restored(arrays)
