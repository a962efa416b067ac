"""docs/trust.md: each promise names a test that exists."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import numpy as np
import pytest
from fuzzing import detectors

import flawspot

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "trust.md"


def named() -> list[tuple[str, str]]:
    """File and test (or nothing) of each reference on the page; ``::test`` goes on with the file before it."""
    found, file = [], ""
    for path, test in re.findall(r"`([\w/]*(?:\.py)?)(?:::(test_\w+))?`", PAGE.read_text(encoding="utf-8")):
        file = path if path.endswith(".py") else file
        if path.endswith(".py") or (not path and test):
            found.append((file, test))
    return found


def test_the_page_names_tests() -> None:
    assert len(named()) > 25


@pytest.mark.parametrize(("file", "test"), named())
def test_a_promise_has_its_test(file: str, test: str) -> None:
    text = (TESTS / file).read_text(encoding="utf-8")
    assert f"def {test or 'test_'}" in text


def test_predicting_opens_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    detector = flawspot.load(detectors.tiny(tmp_path / "tiny.onnx"), self_test=True)
    assert detector.predict(np.zeros((9, 9, 3), np.uint8)).verdict == "good"
