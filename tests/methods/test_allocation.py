"""Where training keeps its memory changes nothing but time."""

import ctypes
import platform

import pytest

from flawspot.methods.allocation import keeping_freed_memory


def test_it_may_end_in_an_error():
    with pytest.raises(ZeroDivisionError), keeping_freed_memory():
        _ = 1 / 0


def test_elsewhere_than_on_glibc_it_does_nothing(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", None)
    with keeping_freed_memory():
        pass
