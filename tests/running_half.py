"""A plugin of pytest for machines that have the running half alone: tests that would train are skipped, and say so.

python -m pytest -p running_half tests/runtime
"""

from collections.abc import Iterator
from typing import Any

import pytest

TRAINING = ("torch", "onnxscript", "numba", "platformdirs")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """An import that only the training half could have made is no failure here."""
    outcome: Any = yield
    report = outcome.get_result()
    error = call.excinfo.value if call.excinfo is not None else None
    missing = str(getattr(error, "name", "")).partition(".")[0]
    if report.failed and isinstance(error, ImportError) and missing in TRAINING:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, f"Skipped: {missing} belongs to the training half")
