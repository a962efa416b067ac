"""Reading a store: a file that is none is left as it is, and a disk that cannot be written to is read."""

import contextlib
import json
import sqlite3

import pytest

from flawspot.benchmark.store import Store, StoreError


@pytest.fixture
def stored(tmp_path, record):
    """A store of one run, with a name that is odd in an address."""
    path = tmp_path / "a #1 ?x=%41 é.sqlite"
    with Store(path) as store:
        store.finish(record())
    return path


@contextlib.contextmanager
def database(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


def test_a_file_that_is_no_store_is_not_changed_by_reading(tmp_path):
    (tmp_path / "empty.sqlite").touch()
    (tmp_path / "text.sqlite").write_text("not a database" * 100, encoding="utf-8")
    with database(tmp_path / "other.sqlite") as db:
        db.execute("CREATE TABLE runs (a)")
    for name, told in (
        ("empty", "is empty: give the file that"),
        ("text", "is no store: choose another file"),
        ("other", "is a database of another program: choose another file"),
    ):
        path = tmp_path / f"{name}.sqlite"
        before = path.read_bytes()
        with pytest.raises(StoreError, match=f"{name}.sqlite {told}"):
            Store(path, create=False)
        assert path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.sqlite", "other.sqlite", "text.sqlite"]


def test_an_empty_file_becomes_a_store_where_one_is_made(tmp_path):
    (tmp_path / "empty.sqlite").touch()
    with Store(tmp_path / "empty.sqlite") as store:
        assert store.records() == []


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("table", ["runs", "claims", "fingerprints"])
def test_a_store_without_a_table_is_told_with_its_cure(stored, table, create):
    with database(stored) as db:
        db.execute(f"DROP TABLE {table}")
    with pytest.raises(StoreError, match=f"is damaged, it has no table {table}: use a copy from before"):
        Store(stored, create=create)


def test_a_store_without_a_column_is_told_with_its_cure(stored):
    with database(stored) as db:
        db.execute("ALTER TABLE runs RENAME COLUMN record TO was")
    with Store(stored, create=False) as store, pytest.raises(StoreError, match=r"no such column.*It is damaged"):
        store.records()


BROKEN = {
    "the run k in .* cannot be read: it is an empty list, not an object": "[]",
    "the run k in .* cannot be read: it is not JSON": "{nope",
    "the run k in .* cannot be read: it is nested too deeply": "[" * 100_000,
    "the run k in .* cannot be read: it is no UTF-8": b"\xff",
    "the run k in .* cannot be read: cell is missing": '{"key": "k", "status": "done"}',
}


@pytest.mark.parametrize(("told", "text"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_run_that_cannot_be_read_is_named(stored, told, text):
    with database(stored) as db:
        db.execute("UPDATE runs SET record = ?", (text,))
    with Store(stored, create=False) as store:
        for read in (store.records, lambda: store.record("k")):
            with pytest.raises(StoreError, match=f"^{told}.*Use a copy from before$"):
                read()


def test_a_text_that_is_no_utf8_is_named(stored):
    with database(stored) as db:
        db.execute("UPDATE runs SET record = CAST(x'ff7b' AS TEXT)")
    with Store(stored, create=False) as store, pytest.raises(StoreError, match=r"the run k in .*: it is no UTF-8"):
        store.records()


def test_a_run_under_the_key_of_another_is_named(stored, record):
    with database(stored) as db:
        db.execute("UPDATE runs SET record = ?", (json.dumps(json.loads(record("other").to_json())),))
    with Store(stored, create=False) as store, pytest.raises(StoreError, match=r"the run k in .*: key is 'other'"):
        store.records()


def test_a_key_that_no_store_can_have_is_not_found(stored):
    with Store(stored, create=False) as store:
        assert store.record("\udcff") is None


def test_the_folder_lies_beside_the_file_that_a_link_names(tmp_path, stored):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.sqlite"
    link.symlink_to(stored)
    with Store(link, create=False) as store:
        assert store.folder == stored.with_name(f"{stored.stem}.files")
        assert len(store.records()) == 1


@pytest.fixture
def unwritable(monkeypatch, tmp_path):
    """As on a disk that cannot be written to, where SQLite makes neither its log nor what belongs to it."""
    connect = sqlite3.connect

    def refuse(address, **options):
        if "immutable=1" not in str(address):
            connect(tmp_path / "none" / "in a folder that is not there.sqlite")
        return connect(address, **options)

    monkeypatch.setattr(sqlite3, "connect", refuse)


def test_a_store_on_a_disk_that_cannot_be_written_to_is_read(stored, unwritable, record):
    with Store(stored, create=False) as store:
        assert store.records() == [record()]
        assert store.record("k") == record()
        assert store.claimed() == set()
        with pytest.raises(StoreError, match=r"readonly database.*that you may write to"):
            store.claim("another")
    assert [path.name for path in stored.parent.iterdir()] == [stored.name]
    with pytest.raises(StoreError, match="cannot be used: unable to open"):
        Store(stored)  # to write to it


def test_runs_that_stand_in_the_log_alone_are_not_left_out_silently(stored, unwritable):
    stored.with_name(f"{stored.name}-wal").write_bytes(b"x")
    with pytest.raises(StoreError, match=r"the newest runs of .* are in .*-wal beside it.*copy both to another folder"):
        Store(stored, create=False)
