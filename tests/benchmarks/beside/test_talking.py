"""A process that answers, seen from outside."""

import os
import sys

import pytest
from beside.talking import Side, SideError

from flawspot.errors import FlawspotError

SERVER = """
import os, sys
from beside.talking import serve
def answer(request):
    print("a library that prints")
    os.system("echo a program that prints")
    if request["do"] == "fail":
        raise ValueError("no such\\nthing")
    if request["do"] == "end":
        os._exit(3)
    return {"twice": 2 * request["value"], "variable": os.environ["SEEN"]}
serve(answer)
"""


@pytest.fixture
def start(tmp_path):
    """Start a side."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SEEN": "Ä"}
    return lambda: Side("the peer", [sys.executable, "-c", SERVER], environment, tmp_path / "peer.log")


def test_a_process_answers_until_it_is_left(start, tmp_path) -> None:
    with start() as side:
        assert [side.ask({"do": "double", "value": value})["twice"] for value in (1, 2.5)] == [2, 5.0]
        assert side.ask({"do": "double", "value": "Ä"}) == {"twice": "ÄÄ", "variable": "Ä"}
    assert (tmp_path / "peer.log").read_text().count("a library that prints") == 3


def test_an_error_is_one_line_and_the_process_goes_on(start, tmp_path) -> None:
    with start() as side:
        with pytest.raises(SideError, match="the peer failed: ValueError: no such thing; see ") as error:
            side.ask({"do": "fail"})
        assert "\n" not in str(error.value)
        assert side.ask({"do": "double", "value": 1})["twice"] == 2


def test_a_process_that_is_gone_is_told_with_its_log(start, tmp_path) -> None:
    with start() as side:
        with pytest.raises(SideError, match=r"the peer ended in the middle of its work: see the end of .*peer\.log"):
            side.ask({"do": "end"})
        with pytest.raises(SideError, match="ended"):
            side.ask({"do": "double", "value": 1})


def test_no_such_program(tmp_path) -> None:
    with pytest.raises(SideError, match=r"the peer cannot be started: .*nowhere"):
        Side("the peer", [str(tmp_path / "nowhere")], {}, tmp_path / "log")


def test_an_error_of_a_side_is_none_of_flawspot_s() -> None:
    assert not issubclass(SideError, FlawspotError)
