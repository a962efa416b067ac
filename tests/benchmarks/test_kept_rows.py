"""Rows of a script on the disk; what `beside.rows` makes of them is tested there."""

import pytest
from kept_rows import KeptRows

from flawspot.errors import DataError


def test_rows_are_there_again_in_their_order(tmp_path) -> None:
    file = tmp_path / "rows.jsonl"
    kept = KeptRows(file)
    assert kept.rows == []
    assert not file.exists()
    kept.add({"name": "a", "draw": 0}, {"name": "a", "draw": 1})
    kept.add({"name": "b"})
    again = KeptRows(file)
    assert again.rows == kept.rows == [{"name": "a", "draw": 0}, {"name": "a", "draw": 1}, {"name": "b"}]
    assert again.find(name="a") == {"name": "a", "draw": 1}
    assert again.find(name="b", draw=0) is None


def test_what_is_no_row_is_left_alone(tmp_path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("[1]\n")
    with pytest.raises(DataError, match="holds something other than rows: remove it"):
        KeptRows(file)
    assert file.read_text() == "[1]\n"
