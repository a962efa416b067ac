"""The anchor beside a record: written, read, and never written over where the record has lost what it knew."""

import pytest

from flawspot.errors import FlawspotError
from flawspot.serve.anchor import Anchor, read_anchor, write_anchor
from flawspot.serve.record import Record, RecordError

from .written import result, station, tamper


def test_it_names_the_last_row(tmp_path):
    with Record(tmp_path / "record.sqlite") as record:
        assert write_anchor(record) is None
        assert not (tmp_path / "head").exists()
        row = record.add("result", result(0))
        assert write_anchor(record) == Anchor(row.number, row.hash)
        assert (tmp_path / "head").read_text() == f"1 {row.hash}\n"
        row = record.add("result", result(1))
        write_anchor(record)
        assert read_anchor(tmp_path / "head") == Anchor.of(row)


def test_what_is_known_is_not_written_again(tmp_path):
    station(tmp_path)
    before = (tmp_path / "head").stat().st_mtime_ns, (tmp_path / "head").stat().st_ino
    with Record(tmp_path / "record.sqlite") as record:
        write_anchor(record)
    assert before == ((tmp_path / "head").stat().st_mtime_ns, (tmp_path / "head").stat().st_ino)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM rows WHERE number > 5", "DELETE FROM rows", "UPDATE rows SET hash = 'x' WHERE number = 9"],
)
def test_a_cut_off_end_is_not_hidden_by_a_new_anchor(statement, tmp_path):
    station(tmp_path)
    known = (tmp_path / "head").read_bytes()
    tamper(tmp_path, statement)
    with Record(tmp_path / "record.sqlite") as record:
        with pytest.raises(RecordError, match="was changed or cut off: row 9"):
            write_anchor(record)
        record.add("station", {"event": "start"})
        with pytest.raises(RecordError, match="was changed or cut off: row 9"):
            write_anchor(record)
    assert (tmp_path / "head").read_bytes() == known


@pytest.mark.parametrize("content", [b"", b"12", b"0 " + b"a" * 64, b"1 " + b"g" * 64, b"\xff" * 1000, b"1\n" * 200])
def test_what_is_no_anchor(content, tmp_path):
    station(tmp_path)
    (tmp_path / "head").write_bytes(content)
    with Record(tmp_path / "record.sqlite") as record, pytest.raises(RecordError, match="is not an anchor"):
        write_anchor(record)
    assert (tmp_path / "head").read_bytes() == content


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "head").mkdir()
    with pytest.raises(FlawspotError, match="cannot read the anchor"):
        read_anchor(tmp_path / "head")
    assert read_anchor(tmp_path / "none") is None


def test_parse():
    digits = "Ab" * 32
    assert Anchor.parse(f"12:{digits}") == Anchor.parse(f" 12 {digits}\n") == Anchor(12, digits.lower())
    assert str(Anchor.parse(f"12:{digits}")) == f"12:{digits.lower()}"
    for text in ("", "12", f"012:{digits}", f"-1:{digits}", f"12:{digits}0", "9" * 400 + f":{digits}"):
        assert Anchor.parse(text) is None
