"""The file beside an artifact: written, read, and refused where it is damaged."""

import numpy as np
import pytest

from flawspot.errors import ArtifactError, FlawspotError
from flawspot.runtime.state import CALIBRATION, REPLAY, Kept, State, as_state, beside, read_state, stacked
from flawspot.runtime.tensors import read_tensors, write_tensors


def photographs(count, tiles=1, *, masked=False, first=0):
    generator = np.random.default_rng(count + first)
    maps = {
        -1: generator.random((count * tiles, 3, 8, 8)).astype(np.float16),
        3: generator.random((count * tiles, 4, 2, 2)).astype(np.float32),
    }
    numbers = range(first, first + count)
    inside = generator.random((count * tiles, 5, 3)) > 0.5 if masked else None
    return Kept(tuple(f"{n}.png" for n in numbers), tuple(f"{n:016x}" for n in numbers), tuple(numbers), maps, inside)


@pytest.fixture
def state():
    kept = {CALIBRATION: photographs(5, tiles=2, masked=True), REPLAY: photographs(2)}
    return State("ab" * 32, {"count": np.array([3]), "sums": np.eye(3)}, kept, ("00" * 8, "1f" * 8), 7)


def equal(one, other):
    assert (one.names, one.hashes, one.groups) == (other.names, other.hashes, other.groups)
    assert sorted(one.maps) == sorted(other.maps)
    for layer, maps in one.maps.items():
        np.testing.assert_array_equal(maps, other.maps[layer])
    assert (one.inside is None) == (other.inside is None)
    if one.inside is not None:
        np.testing.assert_array_equal(one.inside, other.inside)


def test_it_is_read_as_it_was_written(state, tmp_path):
    state.save(tmp_path / "part.state")
    found = read_state(tmp_path / "part.state")
    assert (found.graph_sha256, found.known, found.megabytes) == (state.graph_sha256, state.known, 7)
    np.testing.assert_array_equal(found.learned["sums"], np.eye(3))
    for role in (CALIBRATION, REPLAY):
        equal(found.of(role), state.of(role))
    assert len(found.of("validation")) == 0


def test_it_lies_beside_its_artifact(tmp_path):
    assert beside(tmp_path / "part.onnx") == tmp_path / "part.state"


def test_one_photograph_of_it(state):
    kept = state.of(CALIBRATION)
    maps, inside = kept.photograph(2)
    np.testing.assert_array_equal(maps[3], kept.maps[3][4:6])
    assert maps[-1].dtype == np.float32
    np.testing.assert_array_equal(inside, kept.inside[4:6])


def test_some_and_several(state):
    kept = state.of(CALIBRATION)
    equal(stacked([kept.some(np.array([0, 1, 2])), kept.some(np.array([3, 4]))]), kept)
    assert len(stacked([])) == 0


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(ArtifactError, match="train --state"):
        read_state(tmp_path / "part.state")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ArtifactError):
        read_state(tmp_path)


def rewritten(state, change):
    tensors, metadata = read_tensors(whole(state))
    tensors, metadata = dict(tensors), dict(metadata)
    change(tensors, metadata)
    return b"".join(write_tensors(tensors, metadata))


def whole(state):
    from flawspot.runtime.state import _packed

    return b"".join(write_tensors(*_packed(state)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tensors, said: said.clear(), "not a detector's state"),
        (lambda tensors, said: said.update({"flawspot.state": "{"}), "not a detector's state"),
        (lambda tensors, said: said.update({"flawspot.state": '{"schema_version": 99}'}), "schema 99"),
        (
            lambda tensors, said: said.update({"flawspot.state": '{"schema_version": 1}'}),
            "state.graph_sha256 is missing",
        ),
        (lambda tensors, said: tensors.update({"known": np.zeros(3, np.uint8)}), "impossible values"),
        (lambda tensors, said: tensors.update({"known": np.zeros(2, np.float32)}), "impossible values"),
        (lambda tensors, said: tensors.update({"learned/sums": np.array([np.nan])}), "not finite"),
        (lambda tensors, said: tensors.pop("calibration/3"), None),
        (lambda tensors, said: tensors.update({"calibration/3": np.zeros((3, 4, 2, 2), np.float32)}), "do not fit"),
        (lambda tensors, said: tensors.update({"calibration/3": np.zeros((10, 4), np.float32)}), "not those of"),
        (lambda tensors, said: tensors.update({"calibration/x": np.zeros((10, 4, 2, 2), np.float32)}), "of a layer"),
        (
            lambda tensors, said: tensors.update({"calibration/" + "9" * 5000: np.zeros((0, 4, 2, 2), np.float32)}),
            "of a layer",
        ),
        (lambda tensors, said: tensors.update({"calibration/inside": np.zeros(1, np.uint8)}), "masks"),
        (lambda tensors, said: tensors.pop("calibration/inside"), "masks"),
    ],
)
def test_what_is_damaged_is_refused(state, change, told):
    data = rewritten(state, change)
    if told is None:  # a layer fewer is another detector's state, which is found when it is used
        as_state(data)
        return
    with pytest.raises(ArtifactError, match=told):
        as_state(data)


def test_no_byte_that_is_wrong_ends_in_anything_but_an_error_in_one_line(state):
    data = whole(state)
    generator = np.random.default_rng(0)
    for _ in range(400):
        broken = bytearray(data)
        for place in generator.integers(0, min(len(broken), 1500), 3):
            broken[place] = generator.integers(256)
        try:
            as_state(bytes(broken[: generator.integers(1, len(broken) + 1)] if generator.random() < 0.3 else broken))
        except FlawspotError as error:
            assert "\n" not in str(error)


def test_what_would_not_be_read_again_is_not_written(state, tmp_path, monkeypatch):
    monkeypatch.setattr("flawspot.runtime.state.MAX_BYTES", (16 << 20) + 100)
    with pytest.raises(ArtifactError, match="too large to be read again"):
        state.save(tmp_path / "part.state")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "hashes"),
    [
        (("a\x1b[31m", "b"), ("0" * 16, "1" * 16)),
        (("a" * 5000, "b"), ("0" * 16, "1" * 16)),
        (("a", "b"), ("0" * 15, "1" * 16)),
        (("a", "b"), ("0" * 15 + "\n", "1" * 16)),
    ],
)
def test_names_and_hashes_that_are_none_are_refused(state, names, hashes):
    one = state.of(REPLAY)
    other = State(state.graph_sha256, {}, {REPLAY: Kept(names, hashes, one.groups, one.maps)}, (), 7)
    with pytest.raises(ArtifactError, match="names or hashes"):
        as_state(whole(other))
