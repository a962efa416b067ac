"""Folders as people have them: which photographs are taken for good ones, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawspot.data.folders import open_data, open_folder
from flawspot.data.samples import UNREAD
from flawspot.errors import DataError


def put(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".jpg", ".bmp"):
            Image.fromarray(np.full((6, 8), len(name), np.uint8)).save(path)
        else:
            path.write_bytes(b"something")
    return root


def names(folder, what: str) -> list[str]:
    """``good`` and ``learned`` photographs, or ``defective`` ones, relative to the root."""
    paths = {
        "learned": folder.train,
        "good": [s.path for s in folder.test if not s.is_defective],
        "defective": [s.path for s in folder.test if s.is_defective],
    }[what]
    return [path.relative_to(folder.root).as_posix() for path in paths]


def refusal(path: Path, *good: str) -> str:
    with pytest.raises(DataError) as error:
        open_folder(path, good)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("OK", "NG"),
        ("normal", "abnormal"),
        ("Good", "bad"),
        ("良品", "不良"),
        ("Gutteile", "Ausschuss"),
        ("buoni", "scarti"),
    ],
)
def test_folders_of_good_and_of_defective_parts(tmp_path, good, bad):
    folder = open_folder(put(tmp_path / "p", f"{good}/1.png", f"{good}/2.png", f"{bad}/1.png"))
    assert names(folder, "learned") == names(folder, "good") == [f"{good}/1.png", f"{good}/2.png"]
    assert names(folder, "defective") == [f"{bad}/1.png"]
    assert folder.tested_on_what_is_learned
    assert [(row.folder, row.role, row.count) for row in folder.taken] == [
        (good, "good, to learn from and to test", 2),
        (bad, f"defective ({bad}), to test", 1),
    ]


def test_case_of_train_and_test(tmp_path):
    folder = open_folder(put(tmp_path, "Train/GOOD/1.png", "Test/OK/2.png", "Test/NG/3.png", "Train/NG/4.png"))
    assert names(folder, "learned") == ["Train/GOOD/1.png"]
    assert (names(folder, "good"), names(folder, "defective")) == (["Test/OK/2.png"], ["Test/NG/3.png"])
    assert [(left.folder, left.reason) for left in folder.left_out] == [
        ("Train/NG", "defective: nothing is learned from defects")
    ]
    assert not folder.tested_on_what_is_learned


def test_a_day_in_the_middle_above_or_below(tmp_path):
    below = put(tmp_path / "below", "good/2024-05-01/1.png", "good/2024-05-02/1.png")
    assert len(open_folder(below).train) == 2
    above = put(tmp_path / "above", "2024-05-01/OK/1.png", "2024-05-01/NG/1.png", "2024-05-02/OK/1.png")
    folder = open_folder(above)
    assert names(folder, "learned") == ["2024-05-01/OK/1.png", "2024-05-02/OK/1.png"]
    assert names(folder, "defective") == ["2024-05-01/NG/1.png"]
    assert len(open_folder(put(tmp_path / "alone", "day1/1.png", "day2/1.png")).train) == 2
    assert len(open_folder(put(tmp_path / "good parts", "left/1.png", "right/2.png")).train) == 2
    assert len(open_folder(put(tmp_path / "nested", "left/x/1.png", "left/x/2.png")).train) == 2


def test_the_order_is_the_natural_one_whatever_lies_in_folders(tmp_path):
    put(tmp_path, "good/10.png", "good/9.png", "good/a/1.png", "good/b.png", "good/2024-05-01/2.png")
    learned = names(open_folder(tmp_path), "learned")
    assert learned == [f"good/{name}.png" for name in ("9", "10", "2024-05-01/2", "a/1", "b")]


def test_products_are_not_learned_as_one(tmp_path):
    put(tmp_path, "nut/OK/1.png", "bolt/OK/1.png", "bolt/NG/1.png")
    message = refusal(tmp_path)
    assert "in bolt, nut, which may be different products" in message
    assert len(open_folder(tmp_path, ["OK"]).train) == 2


def test_names_that_say_nothing_are_refused_with_all_of_them(tmp_path):
    message = refusal(put(tmp_path, "a/1.png", "b/1.png"))
    assert "there are a, b" in message
    assert "--good NAME" in message
    assert names(open_folder(tmp_path, ["b"]), "learned") == ["b/1.png"]
    assert names(open_folder(tmp_path, ["b"]), "defective") == ["a/1.png"]
    assert len(open_folder(tmp_path, ["."]).train) == 2


def test_photographs_beside_a_folder_of_unknown_ones(tmp_path):
    assert "photographs in no folder" in refusal(put(tmp_path, "1.png", "more/1.png"))


def test_good_beside_something_unknown(tmp_path):
    message = refusal(put(tmp_path, "good/1.png", "type b/1.png"))
    assert "good beside type b" in message
    assert str(tmp_path / "good") in message


def test_a_folder_named_after_defects_is_not_learned_from(tmp_path):
    assert "named after defects" in refusal(put(tmp_path / "NG", "1.png"))
    assert len(open_folder(tmp_path / "NG", ["."]).train) == 1


def test_defects_within_good_ones_are_refused(tmp_path):
    assert "both good parts and defects" in refusal(put(tmp_path, "good/NG/1.png", "good/1.png"))
    folder = open_folder(tmp_path, ["good"])  # who says so means the good ones alone
    assert names(folder, "learned") == ["good/1.png"]
    assert names(folder, "defective") == ["good/NG/1.png"]


def test_several_good_folders_by_name_path_and_pattern(tmp_path):
    put(tmp_path, "line1/x/1.png", "line1/y/1.png", "line2/x/1.png", "line2/z/1.png")
    assert len(open_folder(tmp_path, ["x", "z"]).train) == 3
    assert names(open_folder(tmp_path, ["line1/x", "./line2/z/"]), "learned") == ["line1/x/1.png", "line2/z/1.png"]
    assert names(open_folder(tmp_path, ["line*/X"]), "learned") == ["line1/x/1.png", "line2/x/1.png"]
    assert "names no folder of" in refusal(tmp_path, "w")
    assert "there are line1, line1/x" in refusal(tmp_path, "w")


def test_good_says_which_and_the_usual_names_no_longer_do(tmp_path):
    put(tmp_path, "train/fine/1.png", "train/good/1.png", "test/fine/1.png", "test/good/1.png", "test/hole/1.png")
    folder = open_folder(tmp_path, ["fine"])
    assert (names(folder, "learned"), names(folder, "good")) == (["train/fine/1.png"], ["test/fine/1.png"])
    assert names(folder, "defective") == ["test/hole/1.png"]
    assert any("not said to be good" in left.reason for left in folder.left_out)


def test_kinds_of_defects_need_a_good_folder_a_mask_or_a_known_name(tmp_path):
    assert "there are test/a, test/b" in refusal(put(tmp_path / "x", "test/a/1.png", "test/b/1.png"))
    assert len(open_folder(put(tmp_path / "x", "test/OK/1.png")).test) == 3
    assert len(open_folder(put(tmp_path / "y", "test/scratch/1.png")).test) == 1
    masked = put(tmp_path / "z", "test/a/1.png", "ground_truth/a/1.png")
    assert names(open_folder(masked), "defective") == ["test/a/1.png"]


def test_what_serves_for_nothing_is_told_with_its_reason(tmp_path):
    put(tmp_path, "train/good/1.png", "train/good/raw.cr2", "train/odd/1.png", "test/good/1.png", "test/hole/1.png")
    put(tmp_path, "validation/good/1.png", "test_private/1.png", "extra/1.png", "readme.txt", "Thumbs.db", ".x/1.png")
    folder = open_folder(tmp_path)
    assert {(left.folder, left.reason): [path.name for path in left.paths] for left in folder.left_out} == {
        ("train/good", UNREAD): ["raw.cr2"],
        ("train/odd", "not known to be good; --good NAME says so"): ["1.png"],
        ("validation/good", "validation photographs: flawspot holds out its own"): ["1.png"],
        ("test_private", "without labels: it cannot be evaluated"): ["1.png"],
        ("extra", "beside the folders for training and testing"): ["1.png"],
        (".", "no photographs"): ["readme.txt"],
    }
    assert folder.unread == (tmp_path / "train" / "good" / "raw.cr2",)
    assert folder.as_dict()["left_out"][0].keys() == {"folder", "reason", "count", "names"}


def test_masks_beside_their_photographs_are_no_photographs(tmp_path):
    folder = open_folder(put(tmp_path, "good/1.png", "NG/2.png", "NG/2_mask.png", "good/1_mask.png"))
    assert names(folder, "learned") == ["good/1.png"]
    assert [sample.mask.name for sample in folder.test if sample.is_defective] == ["2_mask.png"]


def test_paths_one_by_one(tmp_path):
    put(tmp_path, "a/1.png", "a/2.png", "b/3.png", "NG/4.png")
    folder = open_data([tmp_path / "a", str(tmp_path / "b" / "3.png"), tmp_path / "NG" / "4.png"])
    assert names(folder, "learned") == ["a/1.png", "a/2.png", "b/3.png"]
    assert names(folder, "defective") == ["NG/4.png"]
    with pytest.raises(DataError, match="no photographs were named"):
        open_data([])
    with pytest.raises(DataError, match="1 cannot be found"):
        open_data([tmp_path / "a" / "9.png"])
