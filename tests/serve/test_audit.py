"""What an audit finds: whatever was changed, removed, moved, put in or cut off, in record and pictures."""

import json
import os
import sqlite3
import threading

import pytest

from flawspot.serve import audit
from flawspot.serve.anchor import Anchor, read_anchor, write_anchor
from flawspot.serve.audit import PictureAudit, RecordAudit, record_in
from flawspot.serve.chain import RowError, following
from flawspot.serve.keeping import Keeping, Pictures
from flawspot.serve.record import Record, RecordError, Wanted

from .written import keep, overwrite, picture, result, station, tamper


def found(folder, *anchors):
    """Reasons, with the anchor beside the record."""
    beside = read_anchor(folder / "head")
    with Record(record_in(folder), create=False) as record:
        return [
            finding.reason
            for finding in RecordAudit(record, [*anchors, *([] if beside is None else [beside])]).findings()
        ]


def found_of_pictures(folder):
    with Record(record_in(folder), create=False) as record:
        return [f"{finding.picture or 'all'}: {finding.reason}" for finding in PictureAudit(record).findings()]


def test_what_a_station_wrote_is_whole(tmp_path):
    station(tmp_path)
    assert found(tmp_path) == []
    assert found_of_pictures(tmp_path) == []


def test_an_empty_record_is_whole(tmp_path):
    Record(tmp_path / "record.sqlite").close()
    assert found(tmp_path) == []
    assert found(tmp_path, Anchor(1, "a" * 64)) == ["row 1, which an anchor names, is missing: the end was cut off"]


COLUMNS = "number, time, kind, body, previous, hash"
CHANGES = {
    "a verdict": ("UPDATE rows SET body = replace(body, 'anomalous', 'good') WHERE number = 3", "row 3 was changed"),
    "a time": ("UPDATE rows SET time = '2026-01-01T00:00:00.000000Z' WHERE number = 3", "row 3 was changed"),
    "a kind": ("UPDATE rows SET kind = 'station' WHERE number = 3", "row 3 was changed"),
    "a hash": (f"UPDATE rows SET hash = '{'a' * 64}' WHERE number = 3", "row 3 was changed"),
    "what comes before": (f"UPDATE rows SET previous = '{'a' * 64}' WHERE number = 3", "row 4 does not follow|row 3"),
    "a hash that is no text": ("UPDATE rows SET hash = x'00ff' WHERE number = 3", "row 3 was changed"),
    "a removed row": ("DELETE FROM rows WHERE number = 3", "row 3 is missing before row 4"),
    "removed rows": ("DELETE FROM rows WHERE number IN (3, 4, 5)", "rows 3 to 5 are missing before row 6"),
    "the first row": ("DELETE FROM rows WHERE number = 1", "row 1 is missing before row 2"),
    "a row before the first": (
        f"INSERT INTO rows ({COLUMNS}) SELECT -7, time, kind, '{{}}', previous, hash FROM rows WHERE number = 1",
        "row -7 was inserted",
    ),
    "the end": ("DELETE FROM rows WHERE number > 7", "row 9, which an anchor names, is missing: the end was cut off"),
    "all": ("DELETE FROM rows", "row 9, which an anchor names, is missing: the end was cut off"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_are_found(change, tmp_path):
    statement, reason = CHANGES[change]
    tamper(station(tmp_path), statement)
    reasons = found(tmp_path)
    assert reasons
    assert any(part in each for each in reasons for part in reason.split("|")), reasons
    assert len(reasons) <= 3


def test_a_disk_that_fails(tmp_path):
    overwrite(station(tmp_path), 8, b"nothing")
    assert "row 8 was changed: its hash does not fit its contents" in found(tmp_path)
    with Record(tmp_path / "record.sqlite") as record, pytest.raises(RowError, match="row 8 of the record is damaged"):
        Pictures(tmp_path / "pictures", record, Keeping())
    overwrite(tmp_path, 7, b'{"\xff')
    with pytest.raises(RecordError, match="decode"):
        found(tmp_path)


def test_rows_that_changed_places(tmp_path):
    tamper(
        station(tmp_path),
        "UPDATE rows SET number = 100 WHERE number = 3",
        "UPDATE rows SET number = 3 WHERE number = 4",
        "UPDATE rows SET number = 4 WHERE number = 100",
    )
    assert any("row 3" in reason for reason in found(tmp_path))


def rewrite(folder, number):
    """Change one row, and all hashes after it so that they fit: what the chain itself cannot show."""
    with Record(record_in(folder), create=False) as record:
        rows, last = [], None
        for row in record.each():
            content = {**row.content, "verdict": "good"} if row.number == number else row.content
            last = following(last, row.time, row.kind, content)
            rows.append(last)
    tamper(
        folder,
        "DELETE FROM rows",
        *(
            f"INSERT INTO rows ({COLUMNS}) VALUES ({row.number}, '{row.time}', '{row.kind}', "
            f"'{row.body}', '{row.previous}', '{row.hash}')"
            for row in rows
        ),
    )


def test_a_chain_made_anew_is_found_by_what_is_known_elsewhere(tmp_path):
    station(tmp_path)
    anchor = read_anchor(tmp_path / "head")
    rewrite(tmp_path, 3)
    assert found(tmp_path) == ["row 9 is not the one that an anchor names"]
    (tmp_path / "head").unlink()
    assert found(tmp_path) == []  # nobody can tell without an anchor
    assert found(tmp_path, anchor) == ["row 9 is not the one that an anchor names"]


def test_an_anchor_of_any_row_serves(tmp_path):
    station(tmp_path)
    with Record(record_in(tmp_path)) as record:
        known = [Anchor.of(row) for row in record.each()]
    assert found(tmp_path, *known) == []
    tamper(tmp_path, "DELETE FROM rows WHERE number > 4")
    (tmp_path / "head").unlink()
    assert found(tmp_path, *known[:4]) == []
    assert len(found(tmp_path, *known[4:])) == 5


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER rows_never_change",
        "DROP INDEX rows_item",
        "CREATE TRIGGER another AFTER INSERT ON rows BEGIN SELECT 1; END",
        "CREATE TABLE another (x)",
        "ALTER TABLE rows ADD COLUMN another",
        "CREATE VIEW sqliteX AS SELECT 1",
        "CREATE TRIGGER sqliteXlies BEFORE INSERT ON rows BEGIN SELECT RAISE(IGNORE); END",
    ],
)
def test_other_tables_and_triggers_are_found(statement, tmp_path):
    station(tmp_path)
    database = sqlite3.connect(tmp_path / "record.sqlite")
    database.execute(statement)
    database.close()
    (reason,) = found(tmp_path)
    assert "is not as the station made it" in reason


def test_what_swallows_rows_is_no_record(tmp_path):
    station(tmp_path)
    database = sqlite3.connect(tmp_path / "record.sqlite")
    database.execute("CREATE TRIGGER another BEFORE INSERT ON rows BEGIN SELECT RAISE(IGNORE); END")
    database.close()
    with Record(tmp_path / "record.sqlite") as record:
        last = record.last
        with pytest.raises(RecordError, match="accepts no rows"):
            record.add("result", result(50))
        assert record.last == last


def test_an_index_that_hides_results_is_found(tmp_path):
    station(tmp_path)
    database = sqlite3.connect(tmp_path / "record.sqlite")
    (made,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'rows_kind'").fetchone()
    database.execute("DROP INDEX rows_kind")
    database.execute(f"{made} WHERE verdict <> 'anomalous'")
    database.execute("PRAGMA writable_schema = 1")
    database.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'rows_kind'", (made,))
    database.commit()
    database.close()
    with Record(tmp_path / "record.sqlite") as record:
        assert not record.results(Wanted(verdict="anomalous"))
    (reason,) = found(tmp_path)
    assert "do not fit its rows" in reason


def test_what_sqlite_notes_for_itself_is_no_change(tmp_path):
    station(tmp_path)
    database = sqlite3.connect(tmp_path / "record.sqlite")
    database.execute("ANALYZE")
    database.close()
    assert found(tmp_path) == []


def test_while_a_station_writes(tmp_path):
    station(tmp_path, 3)
    ended = threading.Event()

    def write():
        with Record(tmp_path / "record.sqlite") as record:
            for index in range(100, 400):
                record.add("result", result(index))
                if index % 10 == 0:
                    write_anchor(record)
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    rounds = 0
    while not ended.is_set() or not rounds:
        assert found(tmp_path) == []
        rounds += 1
    writer.join()
    with Record(record_in(tmp_path)) as record:
        shown = RecordAudit(record)
        assert list(shown.findings()) == []
    assert shown.rows == shown.head.number == 306


def test_a_changed_picture(tmp_path):
    station(tmp_path)
    path = keep(tmp_path, picture(2))
    path.write_bytes(picture(2)[:-1] + b"x")
    named = path.relative_to(tmp_path / "pictures").as_posix()
    assert found_of_pictures(tmp_path) == [f"{named}: was changed: its bytes do not match the hash in its name"]


def test_a_picture_in_another_place(tmp_path):
    station(tmp_path)
    path = keep(tmp_path, b"\x89PNG unrecorded")  # kept, and its row not written yet
    assert found_of_pictures(tmp_path) == []
    (tmp_path / "pictures" / "zz").mkdir()
    path.rename(tmp_path / "pictures" / "zz" / path.name)
    (tmp_path / "pictures" / "a.png").write_bytes(b"")
    (tmp_path / "pictures" / "zz" / ".flawspot-x.abcdefgh.part.png").write_bytes(b"")
    reasons = found_of_pictures(tmp_path)
    assert len(reasons) == 2
    assert all("its folder or name is different" in reason for reason in reasons)


@pytest.mark.skipif(os.name == "nt", reason="links are for administrators there")
def test_a_link_is_no_picture(tmp_path):
    station(tmp_path)
    path = keep(tmp_path, picture(2))
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    (reason,) = found_of_pictures(tmp_path)
    assert "its folder or name is different" in reason


def test_pictures_that_are_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "_SECONDS_BETWEEN", 0.01)
    station(tmp_path)
    for index in range(3):
        keep(tmp_path, picture(index)).unlink()
    (reason,) = found_of_pictures(tmp_path)
    assert reason.startswith("all: 3 kept pictures are gone, and the record reports only 0")
    with Record(record_in(tmp_path)) as record:
        record.add("removed", {"pictures": 2, "because": "age"})
        assert len(found_of_pictures(tmp_path)) == 1
        record.add("removed", {"pictures": 1, "because": "size"})
        shown = PictureAudit(record)
        assert list(shown.findings()) == []
    assert (shown.checked, shown.missing, shown.told) == (3, 3, 3)


def test_findings_as_json(tmp_path):
    tamper(station(tmp_path), "DELETE FROM rows WHERE number = 3")
    with Record(record_in(tmp_path)) as record:
        (finding,) = RecordAudit(record).findings()
    assert json.loads(json.dumps(finding.as_dict())) == {"reason": finding.reason, "row": 4, "picture": None}
