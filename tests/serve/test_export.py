"""Results as a table and as lines of JSON: all that are wanted, with the last word, and harmless to spreadsheets."""

import csv
import json

import pytest

from flawspot.errors import ConfigurationError
from flawspot.serve.chain import RowError
from flawspot.serve.export import COLUMNS, export, moment
from flawspot.serve.record import Record, RecordError, Wanted

from .written import overwrite, result, station


def table(folder, wanted=None):
    with Record(folder / "record.sqlite", create=False) as record:
        count = export(record, folder / "out.csv", wanted or Wanted())
    with (folder / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count
    return rows


def lines(folder, wanted=None):
    with Record(folder / "record.sqlite", create=False) as record:
        export(record, folder / "out.jsonl", wanted or Wanted())
    return [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]


def test_table(tmp_path):
    rows = table(station(tmp_path))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["part"] for row in rows] == [f"P{index}" for index in range(6)]
    assert rows[1]["score"] == "-0.5"  # a number stays one
    assert rows[2]["score"] == ""
    assert rows[2]["reason"] == "it is broken"
    assert json.loads(rows[1]["regions"])[0]["box"] == [1, 2, 3, 4]
    assert (rows[1]["milliseconds_waited"], rows[1]["milliseconds_judged"]) == ("1.5", "20.25")
    assert [row["word"] for row in rows] == ["", "false alarm", "", "", "", ""]
    assert (rows[1]["word_by"], rows[1]["word_note"]) == ("anna", "'=a reflection")
    assert rows[1]["word_number"] == "5"


def test_lines(tmp_path):
    found = lines(station(tmp_path))
    assert [each["number"] for each in found] == [2, 3, 6, 7, 8, 9]
    assert found[0] == {**found[0], **result(0), "last_word": None}
    assert found[1]["last_word"]["word"] == "false alarm"
    assert found[1]["last_word"]["number"] == 5


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(verdict="anomalous"), [3, 8]),
        (Wanted(verdict="not inspected"), [6, 9]),
        (Wanted(detector="other"), []),
        (Wanted(part="P4"), [8]),
        (Wanted(word="any"), [3]),
        (Wanted(word="false alarm"), [3]),
        (Wanted(word="hold"), [3]),  # the last of those that hold and release
    ],
)
def test_what_is_wanted(wanted, numbers, tmp_path):
    assert [each["number"] for each in lines(station(tmp_path), wanted)] == numbers


def test_times(tmp_path):
    station(tmp_path)
    with Record(tmp_path / "record.sqlite") as record:
        time = record.row(6).time
    assert [each["number"] for each in lines(tmp_path, Wanted(since=time))] == [6, 7, 8, 9]
    assert [each["number"] for each in lines(tmp_path, Wanted(until=time))] == [2, 3]


def test_texts_are_harmless(tmp_path):
    with Record(tmp_path / "record.sqlite") as record:
        record.add("result", result(1, name="=1+1\n", part="@x", reason="\u202e\x1b[2J", detector=["=1"], regions=None))
    (row,) = table(tmp_path)
    assert row["name"] == "'=1+1\\n"
    assert row["part"] == "'@x"
    assert row["reason"] == "\\u202e\\x1b[2J"
    assert row["detector"] == '["=1"]'
    (line,) = lines(tmp_path)
    assert line["reason"] == "\u202e\x1b[2J"


@pytest.mark.parametrize("beginning", [b"[1]", b"not", b'{"\xff'])
def test_a_damaged_row_writes_nothing(beginning, tmp_path):
    overwrite(station(tmp_path), 8, beginning)
    (tmp_path / "out.csv").write_bytes(b"precious")
    with pytest.raises((RecordError, RowError), match=r"row 8 of the record is damaged|malformed JSON|decode to UTF-8"):
        table(tmp_path)
    assert (tmp_path / "out.csv").read_bytes() == b"precious"
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000000Z"),
        ("2026-01-31T12:30", "2026-01-31T12:30:00.000000Z"),
        ("2026-01-31T12:30:01.5Z", "2026-01-31T12:30:01.500000Z"),
        ("2026-01-31T12:30+01:00", "2026-01-31T11:30:00.000000Z"),
    ],
)
def test_moments(text, time):
    assert moment(text) == time


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "12:00", "0001-01-01T00:00+10:00", "9" * 500])
def test_no_moments(text):
    with pytest.raises(ConfigurationError, match="is not a time"):
        moment(text)
