"""The demo from nothing to a page, on a smaller set."""

import functools

import pytest

from flawspot.backbones.registry import family
from flawspot.backbones.weights import find
from flawspot.data.demo_set import DEFECTS, PRODUCTS, make_demo_set
from flawspot.demo.run import run_demo
from flawspot.errors import ConfigurationError
from flawspot.runtime.artifact import read
from flawspot.runtime.marks import is_marked

needs_weights = pytest.mark.skipif(
    find("mobilenet_v2", family("mobilenet_v2").weights) is None, reason="flawspot weights pull mobilenet_v2"
)


@needs_weights
@pytest.mark.weights
def test_everything_is_there(tmp_path, monkeypatch):
    small = functools.partial(make_demo_set, products=[PRODUCTS[0]], train=10, test_good=3, test_per_defect=1, size=64)
    monkeypatch.setattr("flawspot.demo.run.make_demo_set", small)
    said: list[str] = []
    done = run_demo(tmp_path / "demo", product=PRODUCTS[0], method="padim", say=said.append)
    assert [line.split()[0] for line in said] == ["making", "training"]
    assert read(done.artifact).manifest.method == "padim"
    assert done.metrics.good_images == 3
    assert done.metrics.defective_images == len(DEFECTS)
    pictures = sorted(done.pictures.rglob("*.png"))
    assert len(pictures) == 2 + len(DEFECTS)
    assert all(map(is_marked, [*pictures, tmp_path / "demo" / "pictures.png"]))
    assert done.artifact.name in done.summary.read_text(encoding="utf-8")


def test_an_unknown_product(tmp_path):
    with pytest.raises(ConfigurationError, match="the demo set has"):
        run_demo(tmp_path / "demo", product="teapot")
    assert not list(tmp_path.iterdir())
