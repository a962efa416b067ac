import numpy as np
import pytest

from flawspot.data.appearance import FIRST, Appearance
from flawspot.data.corruptions import corrupt
from flawspot.runtime.reduced import prepare


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
