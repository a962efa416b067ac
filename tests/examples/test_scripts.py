"""The scripts of ``examples`` run, small and untrained, and leave and say what their texts promise."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

import flawspot

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_a_script_is_short_and_explains_itself(path, run_script, capfd):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 140
    with pytest.raises(SystemExit) as ended:
        run_script(path.stem, "--help")
    assert ended.value.code == 0
    told = capfd.readouterr().out
    assert f"python examples/{path.name} [--out FOLDER] [--quick]" in told
    assert "Needs flawspot[" in told


def test_every_script_and_notebook_has_its_line_in_the_documentation():
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text(encoding="utf-8")
    assert set(re.findall(r"examples/(\w+\.(?:py|ipynb))", page)) == {
        path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")
    }


def test_train_and_predict(run_script):
    told = run_script("train_and_predict", "--quick")
    out = Path("examples-out/train_and_predict")
    assert flawspot.load(out / "washer.onnx").manifest.training.images == 24
    assert f"look at {out / 'pictures'}" in told
    assert len(re.findall(r"^  \w+ +\d+ of \d+ are called anomalous$", told, re.M)) == 6
    pictures = sorted((out / "pictures").glob("*.png"))
    assert len(pictures) == 12
    assert all(Image.open(picture).size[0] > 64 for picture in pictures)


def test_own_data(run_script):
    told = run_script("own_data", "--quick", "--out", "mine")
    assert "refused: " in told
    assert "unreadable: 1 photograph cannot be read" in told
    assert "learned from 60 photographs of 20 parts" in told  # 24 parts, of which a fifth is held out
    assert "the threshold rests on 12 photographs of 4 other parts" in told
    assert "parts on both sides: 0" in told
    assert "left out, because it cannot be read: golden/part0003_3.png" in told
    assert "Evaluation(36 images" in told
    assert Path("mine/most_severe.png").is_file()


@pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="there is no C compiler: apt install gcc"
)
def test_export_to_c(run_script):
    told = run_script("export_to_c", "--quick")
    rows = re.findall(r"^(\w+) +([\d.]+) +([\d.]+)  (\w+) \((\w+)\)$", told, re.M)
    assert [row[0] for row in rows] == ["good", "scratch", "stain", "chip", "fibre", "pit"]
    for _, artifact, compiled, _, _ in rows:
        # The photographs have the network's size here: nothing is resized, so nothing is rounded otherwise.
        assert float(compiled) == pytest.approx(float(artifact), rel=0.01)
    assert {"washer.c", "washer.h", "washer.c.report.json"} <= {
        path.name for path in Path("examples-out/export_to_c").iterdir()
    }


def test_without_a_compiler_export_to_c_says_what_to_do(run_script, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(SystemExit, match=r"there is no C compiler: install one .*apt install gcc") as ended:
        run_script("export_to_c", "--quick")
    assert "\n" not in ended.value.code
    assert not Path("examples-out").exists()


def test_station(run_script):
    pytest.importorskip("starlette", reason="the station: pip install 'flawspot[serve]'")
    told = run_script("station", "--quick")
    assert len(re.findall(r"^part 47\d\d \(\w+\): (?:good|anomalous), severity [\d.]+", told, re.M)) == 3
    chip = re.search(r"^part 4713 \(chip\): (\w+)", told, re.M)
    assert chip is not None
    word = "missed defect" if chip[1] == "good" else "confirmed"
    assert f"('{word}', 'seen by hand', " in told
    assert "flawspot serve keycap=examples-out/station/keycap.onnx --folder examples-out/station/station" in told
    assert "the station has ended: 3 parts inspected, 0 not inspected" in told
    assert re.search(r"^end +held against row \d+$", told, re.M)  # what audit verify says


@pytest.mark.slow
def test_compare_methods(run_script):
    pytest.importorskip("psutil", reason="the benchmark: pip install 'flawspot[benchmark]'")
    told = run_script("compare_methods", "--quick")
    rows = re.findall(r"^(padim diagonal|patchcore 40|stfpm) +([\d.]+) +[\d.]+ +[\d.]+ +[\d,]+ +[\d.]+$", told, re.M)
    assert len(rows) == 3
    ranks = [float(rank) for _, rank in rows]
    assert ranks == sorted(ranks, reverse=True)
    assert f"chosen: {rows[0][0]} on mobilenet_v2" in told
    best = flawspot.load("examples-out/compare_methods/best.onnx").manifest
    assert best.method == rows[0][0].split()[0]


def test_an_error_is_one_line_with_its_cure(run_script):
    Path("mine/photographs/washer").mkdir(parents=True)
    with pytest.raises(SystemExit, match="is not a demo set: choose another folder") as ended:
        run_script("train_and_predict", "--quick", "--out", "mine")
    assert "\n" not in ended.value.code
