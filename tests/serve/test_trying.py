"""`flawspot serve --check` finds out what a start would, and changes nothing."""

import sqlite3

import pytest

from flawspot.errors import FlawspotError
from flawspot.serve.trying import copied


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_of_no_station_it_is_empty_and_leaves_nothing(tmp_path):
    with copied(tmp_path / "a" / "station") as copy:
        assert list(copy.iterdir()) == []
        assert copy.parent == tmp_path
        (copy / "record.sqlite").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []


def test_of_a_station_it_has_what_a_start_reads(tmp_path):
    with sqlite3.connect(tmp_path / "record.sqlite") as record:
        record.execute("CREATE TABLE rows (x)")
        record.execute("INSERT INTO rows VALUES (7)")
    record.close()
    for name in ("artifacts/a.onnx", "drift/d.safetensors", "pictures/p.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(name.encode())
    before = contents(tmp_path)
    with copied(tmp_path) as copy:
        found = sqlite3.connect(copy / "record.sqlite")
        assert found.execute("SELECT x FROM rows").fetchall() == [(7,)]
        found.execute("INSERT INTO rows VALUES (8)")
        found.commit()
        found.close()
        assert (copy / "artifacts" / "a.onnx").read_bytes() == b"artifacts/a.onnx"
        assert not (copy / "pictures").exists()
    assert contents(tmp_path) == before


def test_errors_name_the_folder(tmp_path):
    with (
        pytest.raises(FlawspotError, match=f"^{tmp_path}/artifacts is missing$"),
        copied(tmp_path) as copy,
    ):
        raise FlawspotError(f"{copy}/artifacts is missing")


def test_where_nothing_can_be_written_and_a_record_that_is_none(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file", tmp_path / "file" / "station"):
        with pytest.raises(FlawspotError, match=r"cannot use the folder .*/file is a file; choose"), copied(place):
            pass
    (tmp_path / "record.sqlite").write_bytes(b"no record" * 200)
    with pytest.raises(FlawspotError, match="cannot read the record"), copied(tmp_path):
        pass
