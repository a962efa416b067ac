"""What became of each photograph, by kind and one by one."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

import flawspot
from flawspot.errors import ConfigurationError
from flawspot.evaluation import Evaluation
from flawspot.evaluation.outcomes import by_kind, outcomes, write_scores, wrong
from flawspot.evaluation.page import write_page
from flawspot.metrics.intervals import wilson
from flawspot.runtime.artifact import assemble


@pytest.fixture
def detector(tiny_model, tiny_manifest):
    return flawspot.load(assemble(tiny_model, tiny_manifest))


@pytest.fixture
def evaluation(detector, tmp_path: Path) -> Evaluation:
    """Grey levels are scores, above 100 is anomalous: two false alarms of four, one of three scratches missed."""
    for kind, levels in {"good": (10, 20, 120, 130), "scratch": (90, 140, 150), "=bent <b>": (160,)}.items():
        for index, level in enumerate(levels):
            path = tmp_path / "part" / "test" / kind / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (level,) * 3).save(path)
    (tmp_path / "part" / "test" / "good" / "broken.png").write_bytes(b"no")
    (tmp_path / "part" / "test" / "good" / "film.mp4").write_bytes(b"no")
    return flawspot.evaluate(detector, tmp_path / "part", progress=False)


def test_by_kind(evaluation: Evaluation) -> None:
    kinds = {kind.name: kind for kind in by_kind(outcomes(evaluation))}
    assert list(kinds) == ["good", "=bent <b>", "scratch"]
    assert [(k.anomalous, k.total, k.is_defective) for k in kinds.values()] == [
        (2, 4, False),
        (1, 1, True),
        (2, 3, True),
    ]
    assert (kinds["scratch"].low, kinds["scratch"].high) == wilson(2, 3)


def test_what_went_wrong(evaluation: Evaluation) -> None:
    missed, alarms = wrong(outcomes(evaluation))
    assert [each.name for each in missed] == ["test/scratch/0.png"]
    assert [each.name for each in alarms] == ["test/good/3.png", "test/good/2.png"]


def test_scores_as_files(evaluation: Evaluation, tmp_path: Path) -> None:
    write_scores(evaluation, tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert {row["kind"] for row in rows} == {"good", "scratch", "'=bent <b>", ""}
    assert (rows[-1]["verdict"], rows[-1]["is_right"], rows[-1]["score"]) == ("not inspected", "False", "")
    write_scores(evaluation, tmp_path / "s.JSON")
    told = json.loads((tmp_path / "s.JSON").read_text())
    assert told["threshold"] == 100.0
    assert sum(row["is_right"] for row in told["photographs"]) == 5
    assert [each["photograph"] for each in told["photographs"][-2:]] == ["test/good/broken.png", "test/good/film.mp4"]
    with pytest.raises(ConfigurationError, match=r"\.csv or \.json"):
        write_scores(evaluation, tmp_path / "s.txt")


def test_the_page(evaluation: Evaluation, detector, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_page(evaluation, detector, page)
    text = page.read_text(encoding="utf-8")
    assert "=bent &lt;b&gt;" in text
    assert "<b>" not in text
    assert "http" not in text
    assert text.count("data:image/jpeg;base64,") == 3
    assert "Missed: defective parts called good: 1" in text
    assert "broken.png" in text
    assert "film.mp4: of a kind that is not read" in text
    assert "False alarms: good parts called anomalous: 2" in text
    assert "4 good photographs and 4 defective ones" in text
    for name, value in (("image AUROC", "0.8750"), ("image AP", "0.9167")):
        assert f"<td>{name}</td><td>{value}</td>" in text
    assert "<td>pixel AP</td><td class=why>unknown: there are no masks</td>" in text
