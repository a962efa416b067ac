import os
import sys
import time

import pytest
from PIL import Image

from flawspot.errors import ConfigurationError, ImageError
from flawspot.runtime.feed import Shot
from flawspot.serve import sources, watching
from flawspot.serve.record import RecordError
from flawspot.serve.sources import CameraSource
from flawspot.serve.station import Station

from .conftest import grey, wait_for


@pytest.fixture
def watched(tiny, settings, tmp_path):
    """A station that is to watch ``line in``, not yet at work."""
    folder = tmp_path / "line in"
    folder.mkdir()
    station = Station({"tiny": tiny}, settings)
    station.watch(folder)
    return station, folder


def names(station, count):
    wait_for(lambda: len(station.record.results()) >= count)
    time.sleep(0.3)  # for what should not come
    return sorted(row.content["name"] for row in station.record.results())


def test_what_is_there_and_what_comes_is_inspected_once(watched, tiny, settings):
    station, folder = watched
    (folder / "1.png").write_bytes(grey(50))
    with station:
        wait_for(lambda: station.record.results())
        (folder / "below").mkdir()
        (folder / "below" / "2.png").write_bytes(grey(150))
        (folder / "note.xyz").write_bytes(b"of a kind that is not read")
        (folder / "3.png.part").write_bytes(grey(50)[:20])
        assert names(station, 3) == ["1.png", "below/2.png", "note.xyz"]
        by_name = {row.content["name"]: row.content["verdict"] for row in station.record.results()}
        assert by_name == {"1.png": "good", "below/2.png": "anomalous", "note.xyz": "not inspected"}
    again = Station({"tiny": tiny}, settings)
    again.watch(folder)
    (folder / "4.png").write_bytes(grey(60))  # while it was down
    with again:
        assert names(again, 4) == ["1.png", "4.png", "below/2.png", "note.xyz"]
        (folder / "1.png").write_bytes(grey(70))
        assert names(again, 5).count("1.png") == 2


def test_a_file_is_taken_when_it_is_whole(watched):
    station, folder = watched
    content = grey(50, 400)
    with station:
        with (folder / "slow.png").open("wb") as file:
            for place in range(0, len(content), len(content) // 8):
                file.write(content[place : place + len(content) // 8])
                file.flush()
                time.sleep(0.1)
        wait_for(lambda: station.record.results())
        assert next(row.content["verdict"] for row in station.record.results()) == "good"


def test_nothing_of_a_folder_is_dropped_however_full_the_queue_is(watched):
    station, folder = watched
    for number in range(60):
        (folder / f"{number}.png").write_bytes(grey(number))
    with station:
        wait_for(lambda: len(station.record.results(limit=1000)) == 60)
    assert station.sources[0].state.dropped == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a watched folder cannot be removed there")
def test_a_folder_that_goes_is_told(watched):
    station, folder = watched
    with station:
        folder.rmdir()
        wait_for(lambda: station.sources[0].state.trouble)
        wait_for(lambda: station.record.results())
        assert station.record.results()[0].content["verdict"] == "not inspected"
        folder.mkdir()  # as a network drive that is there again
        (folder / "1.png").write_bytes(grey(50))
        wait_for(lambda: len(station.record.results()) == 2)
        assert station.sources[0].state.trouble is None


def test_an_empty_file_that_stays_so_is_not_inspected(watched, monkeypatch):
    monkeypatch.setattr(watching, "PATIENT_SECONDS", 0.3)
    station, folder = watched
    with station:
        (folder / "empty.png").write_bytes(b"")
        wait_for(lambda: station.record.results())
        assert station.record.results()[0].content["verdict"] == "not inspected"


def test_a_folder_that_is_moved_in_is_inspected(watched, tmp_path):
    station, folder = watched
    (tmp_path / "batch").mkdir()
    for number in range(3):
        (tmp_path / "batch" / f"{number}.png").write_bytes(grey(50))
    with station:
        time.sleep(0.3)
        (tmp_path / "batch").rename(folder / "batch")
        assert names(station, 3) == ["batch/0.png", "batch/1.png", "batch/2.png"]


def test_no_folder_is_refused(station, tmp_path):
    with pytest.raises(ConfigurationError, match="no folder"):
        station.watch(tmp_path / "nowhere")


def camera(monkeypatch, station, pictures, **options):
    """A camera ``0`` that gives what `pictures` yields, each time it is opened."""
    monkeypatch.setattr(sources, "frames", lambda *_: pictures())
    monkeypatch.setattr(sources, "_AGAIN_SECONDS", (0.05, 0.1))
    source = CameraSource("0", station.inspection(None), **options)
    source.start()
    station.sources.append(source)
    return source


def shot(number, level=50):
    import numpy as np

    return Shot("0", None, np.full((16, 16, 3), level, np.uint8), number)


def test_a_camera_that_is_pulled_is_told_once_and_opened_again(monkeypatch, station):
    opened = []

    def pictures():
        opened.append(1)
        if len(opened) == 1:
            yield shot(1)
            yield Shot("0", None, ImageError("0 gives no more pictures"), 2)
        elif len(opened) < 5:
            raise ImageError("cannot open 0: there is no such camera")
        else:
            yield shot(3, 150)
            time.sleep(30)

    source = camera(monkeypatch, station, pictures)
    wait_for(lambda: len(station.record.results()) >= 3)
    found = [(row.content["verdict"], row.content["reason"]) for row in reversed(station.record.results())]
    assert found == [("good", None), ("not inspected", "0 gives no more pictures"), ("anomalous", None)]
    assert source.state.trouble is None


def test_pictures_of_a_camera_that_come_too_fast_are_counted(monkeypatch, station):
    predict = type(station.inspection(None).loaded.detector).predict
    monkeypatch.setattr(
        type(station.inspection(None).loaded.detector),
        "predict",
        lambda *a, **m: (time.sleep(0.05), predict(*a, **m))[1],
    )

    def pictures():
        for number in range(100):
            yield shot(number)
        time.sleep(30)

    source = camera(monkeypatch, station, pictures)
    wait_for(lambda: source.state.pictures == 100 and not station.inspection(None).waiting)
    wait_for(lambda: source.state.dropped + len(station.record.results(limit=1000)) == 100)
    assert source.state.dropped == station.inspection(None).tally.dropped > 50


def test_a_silent_camera_is_not_inspected(monkeypatch, station):
    def pictures():
        yield shot(1)
        time.sleep(30)

    source = camera(monkeypatch, station, pictures, silent=1.0)
    wait_for(lambda: source.state.trouble)
    wait_for(lambda: len(station.record.results()) == 2)
    newest = station.record.results()[0].content
    assert newest["verdict"] == "not inspected"
    assert newest["reason"] == "0 has given no picture for 1 seconds"
    time.sleep(2.2)
    assert len(station.record.results()) == 2


def test_a_film_is_inspected_to_its_end(station, tmp_path):
    cv2 = pytest.importorskip("cv2")
    import numpy as np

    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 32))
    for level in (20, 40, 200, 60):
        writer.write(np.full((32, 32, 3), level, np.uint8))
    writer.release()
    source = CameraSource(str(path), station.inspection(None))
    source.start()
    wait_for(lambda: source.state.ended and len(station.record.results()) == 4)
    assert [row.content["verdict"] for row in reversed(station.record.results())] == [
        "good",
        "good",
        "anomalous",
        "good",
    ]
    with Image.open(station.pictures.find(station.record.results()[0].content["picture"])) as image:
        assert image.format == "PNG"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_a_name_that_is_no_text_is_inspected(watched):
    station, folder = watched
    with station:
        (folder / "caf\udce9.png").write_bytes(grey(50))
        wait_for(lambda: station.record.results())
        found = station.record.results()[0].content
        assert (found["verdict"], found["name"]) == ("good", "caf\\udce9.png")


def test_files_that_found_no_room_in_the_record_come_again(watched, monkeypatch):
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.2)
    station, folder = watched
    with station:
        db = station.record._db
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
        for number in range(40):
            (folder / f"{number:02}.png").write_bytes(grey(number))
        wait_for(lambda: station.inspection(None).tally.unrecorded > 10)
        db.execute("PRAGMA max_page_count = 100000")
        wait_for(lambda: len(station.record.results()) == 40)
        assert names(station, 40) == [f"{number:02}.png" for number in range(40)]


def test_a_record_that_does_not_answer_for_a_moment_loses_no_file(watched, monkeypatch):
    station, folder = watched
    of_item, failing = station.record.of_item, [True]

    def ask(item):
        if failing:
            failing.clear()
            raise RecordError("the disk does not answer")
        return of_item(item)

    monkeypatch.setattr(station.record, "of_item", ask)
    with station:
        (folder / "1.png").write_bytes(grey(50))
        assert set(names(station, 2)) == {"1.png", str(folder)}  # which was told too


def test_two_folders_whose_files_are_alike(tiny, settings, tmp_path):
    station = Station({"tiny": tiny}, settings)
    for side, level in (("left", 50), ("right", 60)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "0001.png").write_bytes(grey(level))
        os.utime(tmp_path / side / "0001.png", ns=(10**18, 10**18))
        station.watch(tmp_path / side)
    assert len({path.stat().st_size for path in tmp_path.glob("*/0001.png")}) == 1
    with station:
        assert names(station, 2) == ["0001.png"] * 2


def test_the_station_does_not_watch_itself(station, tmp_path):
    (tmp_path / "my station" / "pictures").mkdir(exist_ok=True)
    for place in (tmp_path, tmp_path / "my station", tmp_path / "my station" / "pictures"):
        with pytest.raises(ConfigurationError, match="keeps its own files in"):
            station.watch(place)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_show_nothing_from_outside_the_folder(watched, tmp_path):
    station, folder = watched
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key.png").write_bytes(b"secret")
    (folder / "within").mkdir()
    (folder / "within" / "1.png").write_bytes(grey(50))
    (folder / "2.png").symlink_to(folder / "within" / "1.png")
    (folder / "3.png").symlink_to(tmp_path / "elsewhere" / "key.png")
    (folder / "4").symlink_to(tmp_path / "elsewhere")
    with station:
        assert names(station, 4) == ["2.png", "3.png", "4/key.png", "within/1.png"]
        for row in station.record.results():
            if "within" not in row.content["name"] and row.content["name"] != "2.png":
                assert (row.content["verdict"], row.content["picture"]) == ("not inspected", None)
                assert "leads out of the watched folder" in row.content["reason"]
            else:
                assert row.content["verdict"] == "good"
