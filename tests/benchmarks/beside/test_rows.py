"""Rows on the disk, whatever ended the run."""

import pytest
from beside.rows import Rows
from beside.talking import SideError

SETTINGS = {"rounds": 2, "torch": "1.0"}


def test_rows_are_found_again(tmp_path) -> None:
    rows = Rows(tmp_path / "rows.jsonl", SETTINGS)
    rows.add({"row": "turns", "subject": "padim", "threads": 1, "ms": 3})
    rows.add({"row": "turns", "subject": "padim", "threads": 2, "ms": 4})
    again = Rows(tmp_path / "rows.jsonl", SETTINGS)
    assert again.find(row="turns", threads=2) == {"row": "turns", "subject": "padim", "threads": 2, "ms": 4}
    assert again.find(row="turns", threads=3) is None
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3


def test_the_last_of_equal_rows_counts(tmp_path) -> None:
    rows = Rows(tmp_path / "rows.jsonl", SETTINGS)
    for seconds in (1, 2):
        rows.add({"row": "training", "seconds": seconds})
    assert rows.find(row="training") == {"row": "training", "seconds": 2}


def test_a_line_that_was_not_finished_is_dropped(tmp_path) -> None:
    file = tmp_path / "rows.jsonl"
    Rows(file, SETTINGS).add({"row": "a"})
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"row": "b", "x')
    rows = Rows(file, SETTINGS)
    assert rows.find(row="b") is None
    rows.add({"row": "b"})
    assert file.read_bytes() == whole + b'{"row": "b"}\n'


def test_a_file_of_nothing_but_a_torn_line_begins_anew(tmp_path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"row": "set')
    Rows(file, SETTINGS)
    assert file.read_text() == '{"row": "settings", "rounds": 2, "torch": "1.0"}\n'


def test_rows_of_other_settings_are_not_mixed(tmp_path) -> None:
    file = tmp_path / "rows.jsonl"
    Rows(file, SETTINGS)
    with pytest.raises(SideError, match=r"of another run \(rounds 2 and not 3\): give the same options") as error:
        Rows(file, {**SETTINGS, "rounds": 3})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["no rows\n", "[1]\n", '{"row": "settings"}\nhm\n'])
def test_a_file_of_something_else_is_left_alone(tmp_path, content: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(content)
    with pytest.raises(SideError, match="holds something other than rows: remove it"):
        Rows(file, {})
    assert file.read_text() == content
