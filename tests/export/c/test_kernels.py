"""The kernels as texts."""

import re
from pathlib import Path

import pytest

import flawspot.export.c
from flawspot.export.c.program import KERNELS, kernel, number

FOLDER = Path(flawspot.export.c.__file__).parent / "kernels"
OTHERS = {"common", "driver", "resize"}


def test_every_kernel_is_known():
    assert {path.stem for path in FOLDER.iterdir()} == set(KERNELS) | OTHERS


def test_no_two_define_the_same_name():
    names = [
        name
        for each in sorted(set(KERNELS) | {"common"})
        for name in re.findall(r"^(?:static [^(=;]*?(\w+)\(|\} (\w+);)", kernel(each), re.MULTILINE)
    ]
    flat = [first or second for first, second in names]
    assert len(flat) > 20
    assert len(flat) == len(set(flat))


def test_what_a_kernel_uses_stands_before_it():
    order = list(KERNELS)
    for name, used in KERNELS.items():
        assert all(order.index(other) < order.index(name) for other in used)


@pytest.mark.parametrize("name", [*KERNELS, "common", "resize"])
def test_kernels_allocate_nothing_and_use_what_every_libm_computes_alike(name):
    called = set(
        re.findall(r"\b(malloc|calloc|free|alloca|(?:exp|exp2|log|log2|log10|pow|sin|cos|tan)f?)\(", kernel(name))
    )
    assert not called


@pytest.mark.parametrize("value", [0.0, 1.0, -2.0, 0.1, 1e-30, 123456789.0, 3.4e38])
def test_numbers_are_exact(value):
    import numpy as np

    text = number(float(np.float32(value)))
    assert text.endswith("f")
    assert "." in text or "e" in text
    assert np.float32(text[:-1]) == np.float32(value)
