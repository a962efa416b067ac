"""Maps as files."""

import numpy as np
import pytest
from PIL import Image

from flawspot.runtime.maps import SCALE, is_map, save_map
from flawspot.runtime.marks import is_marked


@pytest.mark.parametrize("largest", [1e-6, 1.0, 255.0, 3e4, 1e9])
def test_a_png_keeps_the_map_within_half_a_step(tmp_path, largest):
    anomaly_map = (np.random.default_rng(0).random((9, 9)) * largest).astype(np.float32)
    save_map(tmp_path / "a.png", anomaly_map)
    image = Image.open(tmp_path / "a.png")
    scale = float(image.text[SCALE])
    assert image.mode == "I;16"
    assert np.abs(np.asarray(image) * scale - anomaly_map).max() <= scale * 0.501
    assert is_marked(tmp_path / "a.png")


def test_zeros_and_negative_values(tmp_path):
    save_map(tmp_path / "a.png", np.array([[0, -1], [0, 0]], np.float32))
    assert np.asarray(Image.open(tmp_path / "a.png")).max() == 0


def test_an_array_is_kept_as_it_is(tmp_path):
    anomaly_map = np.random.default_rng(0).random((9, 9)).astype(np.float32)
    save_map(tmp_path / "a.npy", anomaly_map)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), anomaly_map)
    assert is_map(tmp_path / "a.npy")
    np.save(tmp_path / "mine.npy", np.zeros(3))
    assert not is_map(tmp_path / "mine.npy")
    assert not is_map(tmp_path / "missing.npy")
