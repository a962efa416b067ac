"""A station with the tiny detector: what is brighter than grey level 100 in its first 8 x 8 pixels is anomalous."""

import io
import time
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from flawspot.runtime.artifact import assemble
from flawspot.serve.keeping import Keeping
from flawspot.serve.station import Settings, Station


def grey(level: int, size: int = 16) -> bytes:
    """A grey picture as the bytes of a PNG; its score is its grey level."""
    file = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come to be"
        time.sleep(0.01)


@pytest.fixture
def tiny(tmp_path, tiny_model, tiny_manifest):
    """The artifact."""
    path = tmp_path / "tiny.onnx"
    assemble(tiny_model, tiny_manifest).save(path)
    return path


@pytest.fixture
def settings(tmp_path):
    """In a folder with a space in its name; every good picture is kept."""
    return Settings(tmp_path / "my station", keeping=Keeping(one_good_in=1))


@pytest.fixture
def station(tiny, settings):
    """At work; one detector, ``tiny``."""
    with Station({"tiny": tiny}, settings) as found:
        yield found
