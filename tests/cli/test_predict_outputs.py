"""Where ``flawspot predict`` takes photographs from, what it writes, and that nothing loses a verdict."""

import csv
import io
import json
import os
import signal
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawspot.cli.interruption import Interrupted
from flawspot.runtime import pictures
from flawspot.runtime.feed import Shot

from .every_command import start


@pytest.fixture
def line(tmp_path, save):
    """A folder with a good, an anomalous and a damaged photograph."""
    save(tmp_path / "in" / "a.png", 50)
    save(tmp_path / "in" / "b.png", 200)
    (tmp_path / "in" / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path / "in"


@pytest.fixture
def standard_input(monkeypatch):
    """Give a command bytes on standard input."""

    def give(data):
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(data), closed=False))

    return give


def said(out):
    return [json.loads(each) for each in out.splitlines()]


def test_names_on_standard_input_and_in_a_file(tiny, flawspot, line, standard_input, tmp_path):
    names = f"{line / 'a.png'}\n\n{line / 'b.png'}\r\n{tmp_path / 'gone.png'}\n"
    standard_input(names.encode())
    (tmp_path / "names.txt").write_text(names)
    for given in ("-", tmp_path / "names.txt"):
        code, out, _ = flawspot("predict", tiny, "--list", given, "--json")
        assert code == 3
        assert [each["verdict"] for each in said(out)] == ["good", "anomalous", "not inspected"]
        assert said(out)[1]["path"] == str(line / "b.png")


def test_a_stream_of_pictures(tiny, flawspot, line, standard_input, tmp_path):
    data = (line / "a.png").read_bytes() + (line / "b.png").read_bytes()
    standard_input(data + b"\xff\xd8\xff\xe0")
    code, out, _ = flawspot("predict", tiny, "-", "--json", "--out", tmp_path / "found")
    assert code == 3
    assert [(each["path"], each["frame"], each["verdict"]) for each in said(out)] == [
        ("-", 1, "good"),
        ("-", 2, "anomalous"),
        ("-", 3, "not inspected"),
    ]
    assert sorted(p.name for p in (tmp_path / "found").iterdir()) == [
        "index.html",
        "stdin_000001.jpg",
        "stdin_000002.jpg",
    ]


@pytest.mark.parametrize(
    "wrong", [[], ["-", "-"], ["-", "--list", "-"], ["--watch", "missing"], ["a.png", "--every", "0"]]
)
def test_wrong_usage(tiny, flawspot, wrong):
    code, _, err = flawspot("predict", tiny, *wrong)
    assert code == 2
    assert "error: " in err


def test_a_table_for_spreadsheets(tiny, flawspot, line, tmp_path, monkeypatch):
    (line / "b.png").rename(line / "=2+3.png")
    monkeypatch.chdir(line)
    assert flawspot("predict", tiny, "=2+3.png", "a.png", "c.png", "--csv", tmp_path / "out.csv")[0] == 3
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["'=2+3.png", "a.png", "c.png"]
    assert [row["verdict"] for row in rows] == ["anomalous", "good", "not inspected"]
    assert rows[2]["score"] == rows[2]["is_anomalous"] == ""
    assert "damaged" in rows[2]["error"]
    assert rows[0]["box"] == "0 0 20 16"


def test_maps(tiny, flawspot, line, tmp_path):
    for form in ("npy", "png", "npy"):
        assert flawspot("predict", tiny, line, "--maps", tmp_path / form, "--maps-format", form)[0] == 3
        assert sorted(p.name for p in (tmp_path / form).iterdir()) == [f"a.{form}", f"b.{form}"]
    assert np.load(tmp_path / "npy" / "b.npy").max() == 200
    image = Image.open(tmp_path / "png" / "b.png")
    assert np.asarray(image).max() * float(image.text["flawspot-scale"]) == pytest.approx(200)


def test_pictures_are_jpegs_unless_asked(tiny, flawspot, line, tmp_path):
    flawspot("predict", tiny, line, "--out", tmp_path / "jpg")
    flawspot("predict", tiny, line, "--out", tmp_path / "png", "--format", "png")
    assert Image.open(tmp_path / "jpg" / "a.jpg").format == "JPEG"
    assert Image.open(tmp_path / "png" / "a.png").format == "PNG"
    text = (tmp_path / "jpg" / "index.html").read_text(encoding="utf-8")
    assert "3 photographs: 1 anomalous, 1 good, 1 not inspected" in text
    assert 'src="b.jpg"' in text


def test_only_what_is_anomalous(tiny, flawspot, line, tmp_path):
    options = ("--only-anomalous", "--out", tmp_path / "found", "--csv", tmp_path / "out.csv")
    _, out, err = flawspot("predict", tiny, line, *options)
    assert [each.split()[0] for each in out.splitlines()] == ["anomalous", "not"]
    assert [p.name for p in (tmp_path / "found").glob("*.jpg")] == ["b.jpg"]
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3
    assert "3 photographs: 1 anomalous, 1 good, 1 not inspected" in err


def test_a_picture_that_cannot_be_written_loses_no_verdict(tiny, flawspot, line, tmp_path, monkeypatch):
    (line / "c.png").unlink()
    real = pictures.save_marked

    def full(image, path):
        if "a.jpg" in path.name:
            raise OSError(28, "No space left on device")
        real(image, path)

    monkeypatch.setattr(pictures, "save_marked", full)
    code, out, err = flawspot("predict", tiny, line, "--out", tmp_path / "found", "--csv", tmp_path / "out.csv")
    assert code == 1
    assert [each.split()[0] for each in out.splitlines()] == ["good", "anomalous"]
    assert "No space left on device" in err
    assert "1 files could not be written: the printed verdicts above are complete" in err
    assert (tmp_path / "found" / "b.jpg").exists()
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3
    assert flawspot("predict", tiny, line, "--out", tmp_path / "found", "--fail-on-anomaly")[0] == 4


def test_the_rate_counts_everything(tiny, flawspot, line, monkeypatch, tmp_path):
    real = pictures.save_marked
    monkeypatch.setattr(pictures, "save_marked", lambda image, path: (time.sleep(0.2), real(image, path)))
    _, _, err = flawspot("predict", tiny, line / "a.png", line / "b.png", "--out", tmp_path / "found")
    rate = float(err.rpartition("good; ")[2].split()[0])
    assert 0.3 < rate < 5
    assert "a second with decoding and writing, the detector alone takes" in err


def test_as_many_pixels_as_are_allowed(tiny, flawspot, line):
    code, out, _ = flawspot("predict", tiny, line / "a.png", "--max-pixels", "319")
    assert code == 3
    assert "above the limit of 319 pixels: shrink it, or raise the limit (max_pixels, --max-pixels)" in out
    assert flawspot("predict", tiny, line / "a.png", "--max-pixels", "320")[0] == 0


def test_a_gpu_that_is_not_there_is_told(tiny, flawspot, line):
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there may be one")
    code, _, err = flawspot("predict", tiny, line / "a.png", "--device", "cuda")
    assert code == 0
    assert "note: no GPU is used, the detector runs on the CPU" in err
    assert flawspot("predict", tiny, line / "a.png", "--device", "tpu")[0] == 1


def test_a_mistyped_name_is_not_inspected(tiny, flawspot, line):
    assert flawspot("predict", tiny, line / "aa.png")[0] == 3
    assert flawspot("predict", tiny, "x" * 5000)[0] == 3


def test_films(tiny, flawspot, line, tmp_path):
    cv2 = pytest.importorskip("cv2")
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 5, (64, 48))
    for level in (20, 240, 30, 220):
        writer.write(np.full((48, 64, 3), (0, 0, level), np.uint8))
    writer.release()
    (tmp_path / "junk.mp4").write_bytes(b"junk")
    found = tmp_path / "found"
    code, out, _ = flawspot("predict", tiny, line / "a.png", tmp_path / "junk.mp4", film, "--json", "--out", found)
    assert code == 3
    assert [each["verdict"] for each in said(out)] == [
        "good",
        "not inspected",
        "good",
        "anomalous",
        "good",
        "anomalous",
    ]
    assert [each.get("frame") for each in said(out)][2:] == [0, 1, 2, 3]
    assert (found / "film_000003.jpg").exists()
    assert len(said(flawspot("predict", tiny, film, "--every", "2", "--json")[1])) == 2


def test_films_without_what_reads_them(tiny, flawspot, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr("flawspot.extras.importlib.util.find_spec", lambda _: None)
    code, _, err = flawspot("predict", tiny, tmp_path / "film.mp4")
    assert code == 1
    assert "reading a film or camera needs cv2" in err
    assert "[video]" in err


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent otherwise there")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_folder_that_grows_until_it_is_ended(tiny, save, tmp_path, number, code):
    folder = tmp_path / "in"
    save(folder / "a.png", 50)
    (folder / "old.cr2").write_bytes(b"raw")
    process = start(
        "predict", tiny, folder, "--watch", "--json", "--csv", tmp_path / "out.csv", "--out", folder / "found"
    )
    timer = threading.Timer(120, process.kill)
    timer.start()
    try:
        assert json.loads(process.stdout.readline())["error"].endswith("(.cr2): save it as PNG or JPEG")
        assert json.loads(process.stdout.readline())["verdict"] == "good"
        (folder / "b.png.tmp").write_bytes(b"half of a photograph")  # which its program renames
        save(folder / "b.png", 200)
        assert json.loads(process.stdout.readline())["verdict"] == "anomalous"
        assert len((tmp_path / "out.csv").read_text().splitlines()) == 4
        (folder / "film.MP4").write_bytes(b"a film")
        film = json.loads(process.stdout.readline())
        assert (film["verdict"], film["path"]) == ("not inspected", str(folder / "film.MP4"))
        assert "is a film, which must be named itself: flawspot predict" in film["error"]
        process.send_signal(number)
        rest, err = process.communicate(timeout=60)
    finally:
        timer.cancel()
        process.kill()
    assert (process.returncode, rest) == (code, "")
    assert err.splitlines()[-1] == "note: 2 of 4 photographs were not inspected"
    assert "error" not in err
    assert "Traceback" not in err
    assert "4 photographs: 1 anomalous, 1 good, 2 not inspected" in (folder / "found" / "index.html").read_text("utf-8")


def test_a_camera_ends_as_a_watched_folder_does(tiny, flawspot, monkeypatch):
    """With its summary; a film, which has an end of its own, is interrupted."""
    pytest.importorskip("cv2")

    def interrupted(name, every):
        yield Shot(name, Path("x.jpg"), np.zeros((20, 20, 3), np.uint8), 0)
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr("flawspot.cli.prediction_inputs.frames", interrupted)
    code, out, err = flawspot("predict", tiny, "rtsp://10.0.0.1/line")
    assert (code, len(out.splitlines())) == (143, 1)
    assert err.splitlines()[-1].startswith("1 photograph: 0 anomalous, 1 good")
    code, _, err = flawspot("predict", tiny, "film.mp4")
    assert code == 130  # of whoever raised it, for no signal came
    assert err.splitlines()[-1].startswith("error: interrupted")


def test_films_in_a_folder_are_said_how_to_inspect(tiny, flawspot, line):
    (line / "c.png").unlink()
    (line / "film.mp4").write_bytes(b"a film")
    code, out, err = flawspot("predict", tiny, line)
    assert code == 3
    assert "is a film, which must be named itself: flawspot predict DETECTOR FILM" in out
    assert "3 photographs: 1 anomalous, 1 good, 1 not inspected" in err


def test_no_input_is_written_over(tiny, flawspot, line, tmp_path):
    named = tmp_path / "list.csv"
    named.write_text(str(line / "a.png"), encoding="utf-8")
    before = {path: path.read_bytes() for path in (tiny, line / "a.png", named)}
    for given in ((tiny, line, "--csv", tiny), (tiny, line / "a.png", "--csv", line / "a.png")):
        code, _, err = flawspot("predict", *given)
        assert code == 1
        assert "is an input of this command: name another file to write" in err
    assert flawspot("predict", tiny, "--list", named, "--csv", named)[0] == 1
    code, _, err = flawspot("predict", tiny, line, "--csv", line / "b.png")
    assert code == 1
    assert "its suffix is that of a photograph" in err
    assert before == {path: path.read_bytes() for path in before}
