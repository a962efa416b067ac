import sqlite3
import threading

import pytest

from flawspot.serve.chain import GENESIS, breaks, following, hashed
from flawspot.serve.record import Record, RecordError, Wanted


@pytest.fixture
def record(tmp_path):
    with Record(tmp_path / "record.sqlite") as found:
        yield found


def result(verdict="good", **more):
    return {"verdict": verdict, "detector": "a", "item": None, "part": None, "picture": None, **more}


def test_every_row_holds_the_hash_of_the_one_before(record):
    rows = [record.add("result", result(name=f"ä{number}\u2028")) for number in range(3)]
    assert [row.number for row in rows] == [1, 2, 3]
    assert rows[0].previous == GENESIS
    assert [row.previous for row in rows[1:]] == [row.hash for row in rows[:2]]
    assert rows[2].hash == hashed(3, rows[2].time, "result", rows[2].body, rows[1].hash)
    assert not list(record.verify())
    assert list(record.each()) == rows


def test_nothing_in_it_can_be_changed_or_removed(record):
    record.add("result", result())
    other = sqlite3.connect(record.path)
    for statement in ("UPDATE rows SET kind = 'x'", "DELETE FROM rows"):
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            other.execute(statement)
    other.close()


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("UPDATE rows SET body = replace(body, 'good', 'anomalous') WHERE number = 4", {4}),
        ("UPDATE rows SET time = '2020' WHERE number = 4", {4}),
        ("UPDATE rows SET kind = 'word' WHERE number = 4", {4}),
        ("UPDATE rows SET hash = replace(hash, substr(hash, 1, 4), '0000') WHERE number = 4", {4, 5}),
        ("DELETE FROM rows WHERE number = 4", {5}),
        ("DELETE FROM rows WHERE number IN (1, 2)", {3}),
        ("DELETE FROM rows WHERE number = 4; UPDATE rows SET number = number - 1 WHERE number > 4", {4, 5, 6, 7, 8, 9}),
        (
            "UPDATE rows SET number = 100 WHERE number = 4; UPDATE rows SET number = 4 WHERE number = 5; "
            "UPDATE rows SET number = 5 WHERE number = 100",
            {4, 5, 6},
        ),
    ],
)
def test_whatever_was_changed_is_found(record, change, wanted):
    for number in range(10):
        record.add("result", result(name=str(number)))
    other = sqlite3.connect(record.path)
    other.executescript(f"DROP TRIGGER rows_never_change; DROP TRIGGER rows_never_go; {change}")
    other.close()
    assert {found.number for found in record.verify()} == wanted


def test_a_row_that_was_made_to_fit_is_found_by_the_next_one(record):
    rows = [record.add("result", result(name=str(number))) for number in range(3)]
    forged = following(rows[0], rows[1].time, "result", result("anomalous"))
    assert {found.number for found in breaks([rows[0], forged, rows[2]])} == {3}


def test_nothing_has_two_results(record):
    record.add("result", result(item="watch:1.png"))
    with pytest.raises(RecordError, match="holds this item already"):
        record.add("result", result(item="watch:1.png"))
    assert record.of_item("watch:1.png").number == 1
    assert record.add("result", result(item="watch:2.png")).number == 2


def test_results_by_filter_and_page(record):
    for number in range(10):
        record.add("result", result("anomalous" if number % 5 == 0 else "good", part=str(number)))
    record.add("word", {"result": 1, "word": "false alarm"})
    record.add("word", {"result": 6, "word": "false alarm"})
    record.add("word", {"result": 6, "word": "confirmed"})
    assert [row.number for row in record.results(Wanted(verdict="anomalous"))] == [6, 1]
    assert [row.number for row in record.results(Wanted(part="3"))] == [4]
    assert [row.number for row in record.results(Wanted(word="false alarm"))] == [1]
    assert [row.number for row in record.results(Wanted(word="any"))] == [6, 1]
    assert [row.number for row in record.results(limit=3)] == [10, 9, 8]
    assert [row.number for row in record.results(before=3)] == [2, 1]
    middle = record.row(5).time
    assert [row.number for row in record.results(Wanted(since=middle))] == [10, 9, 8, 7, 6, 5]
    assert [row.number for row in record.results(Wanted(until=middle))] == [4, 3, 2, 1]
    assert record.counts(middle) == {"good": 5, "anomalous": 1}
    assert [row.content["word"] for row in record.words_on(6)] == ["false alarm", "confirmed"]


def test_it_goes_on_where_it_was(tmp_path):
    path = tmp_path / "record.sqlite"
    for _ in range(3):
        with Record(path) as record:
            record.add("station", {"event": "started"})
    with Record(path, create=False) as record:
        assert record.last.number == 3
        assert not list(record.verify())


def test_a_full_disk_is_told_and_harms_nothing(record):
    record.add("result", result())
    pages = record._db.execute("PRAGMA page_count").fetchone()[0]
    record._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RecordError, match="full; free some space"):
        for _ in range(1000):
            record.add("result", result(name="x" * 1000))
    record._db.execute("PRAGMA max_page_count = 100000")
    record.add("result", result())
    assert not list(record.verify())


def test_what_is_no_record_is_refused(tmp_path):
    with pytest.raises(RecordError, match="there is no record"):
        Record(tmp_path / "none.sqlite", create=False)
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE t (x)")
    other.commit()
    other.close()
    with pytest.raises(RecordError, match="is not a record of a station"):
        Record(tmp_path / "other.sqlite")
    (tmp_path / "text.sqlite").write_text("no database at all, but a text that is long enough to be one" * 50)
    with pytest.raises(RecordError, match="cannot open the record"):
        Record(tmp_path / "text.sqlite")
    with Record(tmp_path / "newer.sqlite") as record:
        record._db.execute("PRAGMA user_version = 99")
    with pytest.raises(RecordError, match="newer flawspot"):
        Record(tmp_path / "newer.sqlite")


def test_a_search_keeps_no_verdict_waiting_nor_waits_for_one(record):
    record.add("result", result())
    with record._readers.reading() as other:
        assert len(other.execute("SELECT number FROM rows").fetchmany(1)) == 1  # in the middle of a search
        number = record.add("result", result("anomalous")).number
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            other.execute("INSERT INTO rows (number) VALUES (7)")
    with record._lock:  # as while a row is written
        found = []
        asked = threading.Thread(target=lambda: found.extend(record.results(Wanted(part=None))))
        asked.start()
        asked.join(10)
        assert [row.number for row in found] == [number, number - 1]
        assert record.counts("2000") == {"good": 1, "anomalous": 1}


def test_searches_from_many_threads_leave_few_connections_and_none_when_closed(record):
    record.add("result", result())
    asking = [threading.Thread(target=record.results) for _ in range(50)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert 1 <= len(record._readers._idle) <= 8
    record.close()
    assert not record._readers._idle
    with pytest.raises(RecordError, match="closed"):
        record.results()


def test_kept_good_results_that_nobody_spoke_of(record, monkeypatch):
    monkeypatch.setattr("flawspot.serve.record._PART", 2)
    rows = [record.add("result", result(kept=True)) for _ in range(5)]
    record.add("result", result(kept=False))
    record.add("result", result("anomalous", kept=True))
    record.add("result", {**result(kept=True), "detector": "b"})
    record.add("word", {"result": rows[1].number, "word": "hold"})
    assert list(record.kept_good("a", "")) == [rows[0], *rows[2:]]
    assert list(record.kept_good("a", rows[3].time)) == rows[3:]


def test_every_result_of_a_picture(record):
    rows = [record.add("result", result(picture=picture)) for picture in ("p", "q", "p")]
    record.add("word", {"result": 1, "word": "hold", "picture": "p"})
    assert record.of_picture("p") == [rows[2], rows[0]]
