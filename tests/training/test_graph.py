"""What the graph does before the backbone: the resize that Pillow would have done."""

import numpy as np
import pytest
from PIL import Image
from torch import Tensor, nn

from flawspot.runtime.session import open_session
from flawspot.training.graph import Preprocess, to_onnx


class Resized(nn.Module):
    """`Preprocess` alone, without normalisation, in grey levels."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.preprocess = Preprocess(size, (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))

    def forward(self, image: Tensor) -> Tensor:
        x: Tensor = self.preprocess(image)
        return x


@pytest.fixture(scope="module")
def session():
    return open_session(to_onnx(Resized(224), ["resized"]))


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    smooth = 128 + 90 * np.sin(x / 17 + y / 29)
    return np.clip(smooth[:, :, None] + generator.normal(0, 30, (height, width, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width"), [(900, 900), (450, 450), (700, 900), (224, 224), (100, 80), (1, 1), (33, 500)]
)
def test_agrees_with_pillow_within_a_grey_level(session, height, width):
    image = photograph(height, width)
    resized = session.run(None, {"image": image[None]})[0][0].transpose(1, 2, 0)
    expected = np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.BILINEAR), np.float32)
    # Pillow rounds to whole grey levels after each of the two axes.
    assert np.abs(resized - expected).max() <= 1.001


def test_any_number_of_photographs(session):
    images = np.stack([photograph(60, 50, seed) for seed in range(5)])
    resized = session.run(None, {"image": images})[0]
    assert resized.shape == (5, 3, 224, 224)
    for index, image in enumerate(images):
        np.testing.assert_array_equal(resized[index], session.run(None, {"image": image[None]})[0][0])


def test_the_square_of_the_right_size_is_left_as_it_is(session):
    image = photograph(224, 224)
    resized = session.run(None, {"image": image[None]})[0][0].transpose(1, 2, 0)
    np.testing.assert_allclose(resized, image, atol=1e-3)
