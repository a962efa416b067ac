"""Cells and records to store."""

import pytest

from flawspot.benchmark.record import DONE, Cell, Record
from flawspot.manifest import Part


@pytest.fixture
def cell():
    """Make a cell."""

    def make(**changed):
        plain = {
            "data": "mvtec_ad",
            "category": "bottle",
            "backbone": "mobilenet_v2",
            "layers": "equiv",
            "method": "padim",
            "label": "PaDiM",
        }
        return Cell(**{**plain, **changed})

    return make


@pytest.fixture
def record(cell):
    """Make the record of a run."""

    def make(key="k", status=DONE, **changed):
        plain = {
            "cell": cell(),
            "taps": (3, 8, 14),
            "metrics": {"image_auroc": 0.9, "pixel_f1_max": None, "images": 83},
            "parts": (Part("backbone", 100, 1000), Part("memory bank", 7, 70)),
            "measured": {"latency_ms": 4.5},
            "defect_sizes": ({"smallest": 0, "largest": 0.5, "regions": 3, "recall": None},),
            "finished": "2026-01-01T00:00:00+00:00",
        }
        return Record(key=key, status=status, **{**plain, **changed})

    return make
