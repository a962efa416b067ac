"""Threads that wait take little of a busy machine, unless the user says otherwise."""

import os

import pytest

from flawspot.benchmark.engines.worker import _environment
from flawspot.spinning import SPINS, VARIABLE, bounded


def test_waiting_is_bounded_where_the_user_says_nothing(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert bounded() == {VARIABLE: SPINS}
    with _environment(2):
        assert os.environ[VARIABLE] == SPINS
    assert VARIABLE not in os.environ


@pytest.mark.parametrize(("name", "value"), [(VARIABLE, "7"), ("OMP_WAIT_POLICY", "ACTIVE")])
def test_what_the_user_has_set_stays(monkeypatch, name, value):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv(name, value)
    assert bounded() == {}
    with _environment(2):
        assert os.environ.get(VARIABLE) == (value if name == VARIABLE else None)
