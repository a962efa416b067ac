"""A state may come from anybody."""

import dataclasses

import numpy as np
import pytest

import flawspot
from flawspot.errors import FlawspotError
from flawspot.runtime.state import CALIBRATION, Kept, beside, read_state

from .conftest import folder


def mutated(array, generator):
    """Another shape, type or other numbers."""
    kind = generator.integers(6)
    if kind == 0:
        return array.reshape(-1)
    if kind == 1:
        return array[..., :1].copy() if array.ndim else array[None]
    if kind == 2:
        return array.astype(np.float16 if array.dtype.kind == "f" else np.int8)
    if kind == 3:
        return np.full_like(array, generator.choice([-1, 0, 10**6]))
    if kind == 4:
        return np.zeros((0, *array.shape[1:]), array.dtype)
    return array.astype(np.float64) * 1e30 if array.dtype.kind == "f" else array + 2**30


@pytest.fixture
def new(tmp_path):
    return folder(tmp_path / "new", 3, first=100)


def tried(part, state, new):
    try:
        flawspot.update(part, new, state=state, progress=False)
    except FlawspotError as error:
        assert "\n" not in str(error)
        return True
    return False


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_whatever_a_state_holds_ends_in_one_line(part, new):
    state, generator, refused = read_state(beside(part)), np.random.default_rng(0), 0
    for _ in range(25):
        learned = dict(state.learned)
        name = str(generator.choice(list(learned)))
        learned[name] = mutated(learned[name], generator)
        refused += tried(part, dataclasses.replace(state, learned=learned), new)
    assert refused > 5
    for name in state.learned:
        learned = {key: array for key, array in state.learned.items() if key != name}
        assert tried(part, dataclasses.replace(state, learned=learned), new) or name.startswith("chosen")


@pytest.mark.parametrize(
    ("method", "name", "numbers"),
    [
        ("padim", "count", [2**63 - 1]),
        ("padim", "count", [0]),
        ("patchcore", "radius", [1e300, 1e300]),
        ("patchcore", "radius", [-1.0, 1.0]),
    ],
)
def test_numbers_that_no_training_has_are_refused(trained, new, method, name, numbers):
    state = read_state(beside(trained(method)))
    learned = {**state.learned, name: np.array(numbers)}
    assert tried(trained(method), dataclasses.replace(state, learned=learned), new)


def test_photographs_of_another_shape_are_refused(part, new):
    state = read_state(beside(part))
    kept = state.of(CALIBRATION)
    layer = next(iter(kept.maps))
    for maps in (
        {**kept.maps, layer: kept.maps[layer][:, :1]},
        {**kept.maps, layer: kept.maps[layer][:, :, :1]},
        {key: each for key, each in kept.maps.items() if key != layer},
        {**kept.maps, 99: kept.maps[layer]},
        {key: np.repeat(each, 2, axis=0) for key, each in kept.maps.items()},
    ):
        other = Kept(kept.names, kept.hashes, kept.groups, maps)
        assert tried(part, dataclasses.replace(state, kept={CALIBRATION: other}), new)
