"""Small detectors, and the compiler."""

import pytest

from flawspot.export.c.compiling import find_compiler

from . import graphs


@pytest.fixture(scope="session")
def compiler():
    """The command that compiles C here."""
    found = find_compiler()
    if found is None:
        pytest.skip("there is no C compiler here")
    return found


@pytest.fixture(scope="session")
def detectors(tiny_manifest):
    """``detectors(name)``: of floats or whole numbers, each made once."""
    made = {}
    kinds = {
        "floats": {},
        "codes": {"quantized": True},
        "gaussians": {"make": graphs.gaussians},
        "gaussians of codes": {"make": graphs.gaussians_of_halves, "quantized": True},
        "codes in units": {"make": graphs.students_in_units, "quantized": True},
        "bank": {"make": graphs.bank},
        "bank of halves": {"make": graphs.bank_of_halves, "quantized": True},
        "bank of codes": {"make": graphs.bank_of_codes, "quantized": True},
        "wide": {"quantized": True, "wide": (3, 6)},
        "resized as before": {"plain": False},
    }

    def get(name):
        if name not in made:
            made[name] = graphs.artifact(tiny_manifest, **kinds[name])
        return made[name]

    return get
