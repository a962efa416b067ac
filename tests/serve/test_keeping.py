import hashlib
import os
import time

import pytest

from flawspot.errors import ConfigurationError
from flawspot.serve.keeping import Keeping, Pictures
from flawspot.serve.record import Record

from .conftest import grey


@pytest.fixture
def record(tmp_path):
    with Record(tmp_path / "record.sqlite") as found:
        yield found


def judge(pictures, content, verdict="good", detector="a"):
    """Save a picture and record its result, as an inspection does."""
    picture = hashlib.sha256(content).hexdigest()
    pictures.save(picture, content)
    kept = pictures.keeping.keeps(picture, verdict)
    row = pictures.record.add(
        "result", {"verdict": verdict, "picture": picture, "kept": kept, "detector": detector, "item": None}
    )
    pictures.judged(row)
    return picture, row


def test_anomalies_stay_and_of_good_parts_one_in_so_many(tmp_path, record):
    pictures = Pictures(tmp_path / "pictures", record, Keeping(one_good_in=4, recent=24))
    good = [judge(pictures, grey(level))[0] for level in range(80)]
    bad = [judge(pictures, grey(level), "anomalous")[0] for level in range(200, 220)]
    unread = judge(pictures, b"garbage", "not inspected")[0]
    kept = {picture for picture in good if int(picture[:8], 16) % 4 == 0}
    assert 5 < len(kept) < 40
    recent = set(pictures.recent("a"))
    assert len(recent) == 24
    assert {picture for picture in good if pictures.find(picture)} == kept | (recent & set(good))
    assert all(pictures.find(picture) for picture in [*bad, unread])
    assert pictures.find(unread).suffix == ".bin"
    assert pictures.find(good[-1]).read_bytes() == grey(79)


def test_what_people_spoke_of_stays(tmp_path, record):
    pictures = Pictures(tmp_path / "pictures", record, Keeping(one_good_in=0, recent=24))
    spoken, row = judge(pictures, grey(1))
    silent, _ = judge(pictures, grey(2))
    record.add("word", {"result": row.number, "word": "missed defect"})
    for level in range(10, 40):
        judge(pictures, grey(level))
    assert pictures.find(spoken)
    assert not pictures.find(silent)


def test_a_picture_that_another_result_keeps_stays(tmp_path, record):
    pictures = Pictures(tmp_path / "pictures", record, Keeping(one_good_in=0, recent=24))
    twice, _ = judge(pictures, grey(1), "anomalous", "b")
    judge(pictures, grey(1))
    for level in range(10, 40):
        judge(pictures, grey(level))
    assert pictures.find(twice)


def test_sweeping_by_age_size_and_share(tmp_path, record):
    pictures = Pictures(tmp_path / "pictures", record, Keeping(days=1, one_good_in=0, recent=24))
    names = [judge(pictures, grey(level), "anomalous")[0] for level in range(100, 150)]
    orphan = pictures.save(hashlib.sha256(b"orphan").hexdigest(), b"orphan")
    old = time.time() - 2 * 86_400
    for name in names[:10]:
        os.utime(pictures.find(name), (old, old))
    os.utime(orphan, (time.time() - 7200,) * 2)
    stranger = tmp_path / "pictures" / "ab" / "note.txt"
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text("not ours")
    assert pictures.sweep() == 11
    assert not any(pictures.find(name) for name in names[:10])
    assert all(pictures.find(name) for name in names[10:])
    assert not orphan.exists()
    assert stranger.exists()
    assert [row.content for row in record.of_kind("removed")] == [{"pictures": 10, "because": "age"}]
    small = Pictures(tmp_path / "pictures", record, Keeping(gigabytes=5 * len(grey(100)) / 1e9, recent=24))
    small.sweep()
    left = [name for name in names if small.find(name)]
    assert len(left) <= 5
    assert record.of_kind("removed")[0].content["because"] == "size"


def test_what_a_power_cut_has_emptied_is_written_again(tmp_path, record):
    pictures = Pictures(tmp_path / "pictures", record, Keeping())
    picture, _ = judge(pictures, grey(1))
    pictures.find(picture).write_bytes(b"")
    assert pictures.save(picture, grey(1), lasting=True).read_bytes() == grey(1)


def test_what_goes_while_it_sweeps_holds_up_nothing(tmp_path, record, monkeypatch):
    pictures = Pictures(tmp_path / "pictures", record, Keeping(days=1, one_good_in=0, recent=24))
    old = time.time() - 2 * 86_400
    for level in range(100, 150):
        os.utime(pictures.find(judge(pictures, grey(level), "anomalous")[0]), (old, old))
    glob = type(tmp_path).glob
    monkeypatch.setattr(type(tmp_path), "glob", lambda path, of: [path / "ab" / "gone.png", *glob(path, of)])
    assert pictures.sweep() == 26


def test_the_recent_ones_are_known_after_a_restart(tmp_path, record):
    keeping = Keeping(one_good_in=0, recent=24)
    before = Pictures(tmp_path / "pictures", record, keeping)
    names = [judge(before, grey(level))[0] for level in range(30)]
    again = Pictures(tmp_path / "pictures", record, keeping)
    assert again.recent("a") == names[-24:]


def test_no_name_leaves_the_folder(tmp_path, record):
    pictures = Pictures(tmp_path / "pictures", record, Keeping())
    (tmp_path / "secret.png").write_bytes(b"secret")
    for name in ("../secret", "..", "", "A" * 64, "/etc/passwd", "0" * 63, "0" * 64 + "\n"):
        assert pictures.find(name) is None


def test_values_that_cannot_be_are_refused():
    for wrong in ({"days": 0}, {"gigabytes": -1}, {"one_good_in": -1}, {"recent": 5}, {"days": float("nan")}):
        with pytest.raises(ConfigurationError, match="keeping"):
            Keeping(**wrong)
