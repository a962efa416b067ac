"""Which photographs show the same part, by every rule."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawspot.data import groups
from flawspot.data.groups import grouping
from flawspot.data.near_duplicates import merged
from flawspot.errors import ConfigurationError, DataError

ROOT = Path("photos")


def found(rule: str, *names: str) -> list[int]:
    return grouping(rule)([ROOT / name for name in names], ROOT).tolist()


def test_by_folder() -> None:
    assert found("folder", "a/1.png", "b/1.png", "a/2.png", "c/d/1.png") == [0, 1, 0, 2]


def test_by_the_part_of_a_pattern_in_brackets_or_by_all_of_it() -> None:
    names = ["p17_cam1.png", "p18_cam1.png", "p17_cam2.png"]
    assert found(r"p(\d+)_", *names) == [0, 1, 0]
    assert found(r"^p\d+", *names) == [0, 1, 0]
    assert found(r"(x)?cam\d", *names) == [0, 0, 1]


def test_a_pattern_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(DataError, match=r"does not fit 1 of 2 photographs, such as b\.png"):
        found(r"(\d+)", "a1.png", "b.png")


@pytest.mark.parametrize("rule", [r"(a+)+$", r"(a|a)*b", r"^(a*)*(a*)*(a*)*b", r"(.*)*x"])
def test_a_pattern_that_would_take_for_ever_is_ended(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MATCH_SECONDS", 2)
    with pytest.raises(ConfigurationError, match="takes more than 2 s for 2 names: write it without") as caught:
        found(rule, "a" * 60 + "!.png", "b.png")
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_of_every_kind_and_empty_matches() -> None:
    """What no encoding holds, too."""
    assert found("x*", "é\udce9\n.png", "xx.png", "日本.png") == [0, 1, 0]


def test_by_gaps_between_numbers() -> None:
    names = ["f_010.png", "f_011.png", "f_014.png", "f_100.png", "f_102.png", "f_012.png", "g_011.png"]
    assert found("number:3", *names) == [0, 0, 0, 1, 1, 0, 2]
    assert found("number:0", "f_1.png", "f_01.jpg", "f_2.png") == [0, 0, 1]
    with pytest.raises(DataError, match="no number"):
        found("number:3", "a.png")


def test_by_time(tmp_path: Path) -> None:
    paths = []
    for index, second in enumerate((1, 59, 2)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"2026:01:02 03:04:{second:02d}"
        paths.append(tmp_path / f"{index}.jpg")
        Image.new("RGB", (8, 8)).save(paths[-1], exif=exif)
    assert grouping("time:5")(paths, tmp_path).tolist() == [0, 1, 0]
    Image.new("RGB", (8, 8)).save(tmp_path / "none.jpg")
    with pytest.raises(DataError, match=r"none\.jpg does not say when"):
        grouping("time:5")([*paths, tmp_path / "none.jpg"], tmp_path)


def test_none() -> None:
    assert found("none", "a.png", "a.png") == [0, 1]


WRONG = ["number:x", "number:-1", "time:nan", "number:", "time:inf", "(", "[a"]
WRONG += ["a{99999999999999999999}", "(" * 3000 + ")" * 3000]


@pytest.mark.parametrize("rule", WRONG, ids=lambda rule: rule[:20])
def test_a_wrong_rule_is_refused_at_once(rule: str) -> None:
    with pytest.raises(ConfigurationError, match="--group"):
        grouping(rule)


def test_merged() -> None:
    first, second = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 1, 2, 3])
    assert merged(first, second).tolist() == [0, 0, 0, 1, 2]
