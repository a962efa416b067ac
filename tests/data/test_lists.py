"""Photographs that a file names: text, CSV and JSON Lines."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawspot.data.folders import open_data, read_sample_mask
from flawspot.data.lists import open_list
from flawspot.errors import DataError


@pytest.fixture
def photos(tmp_path) -> Path:
    for index in range(6):
        path = tmp_path / "photos" / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((6, 8), 10 * index, np.uint8)).save(path)
    mask = np.zeros((6, 8), np.uint8)
    mask[2, 3] = 1
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path


def written(folder: Path, text: str, name: str = "list.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def sides(folder) -> tuple[list[str], list[str], list[str]]:
    """Names of what is learned from, and of good and of defective test photographs."""
    good = [sample.path.name for sample in folder.test if not sample.is_defective]
    return [path.name for path in folder.train], good, [s.path.name for s in folder.test if s.is_defective]


def refusal(path: Path, *good: str) -> str:
    with pytest.raises(DataError) as error:
        open_list(path, good)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_one_path_a_line(photos):
    path = written(photos, "# good ones\nphotos/10.png\n\nphotos/1.png\r\nphotos/0.png\n", "list.txt")
    assert "of 3 files" in refusal(path)
    assert "photos/10.png" in refusal(path).replace("\\", "/")
    path = written(photos, "\ufeff# good ones\nphotos/2.png\n\nphotos/1.png\r\nphotos/1.png\n", "list.txt")
    folder = open_data(path)
    assert sides(folder) == (["1.png", "2.png"], [], [])
    assert folder.root == photos / "photos"
    assert folder.taken[0].role == "good, to learn from"
    assert [(left.reason, len(left.paths)) for left in folder.left_out] == [("named twice", 1)]
    assert sides(open_list(written(photos, "photos\n", "folders.txt")))[0] == [f"{i}.png" for i in range(6)]
    assert "names no photographs" in refusal(written(photos, "# nothing\n", "empty.txt"))


def test_a_table_without_header(photos):
    folder = open_list(written(photos, "photos/0.png,good\nphotos/1.png,OK\nphotos/2.png,scratch,mask.png\n"))
    assert sides(folder) == (["0.png", "1.png"], ["0.png", "1.png"], ["2.png"])
    assert folder.test[2].defect == "scratch"
    assert read_sample_mask(folder.test[2], (6, 8)).sum() == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_with_header_and_split(photos, delimiter):
    rows = [
        "split,label,filename,mask",
        "train,normal,photos/0.png,",
        "train,defect,photos/1.png,",
        "val,normal,photos/2.png,",
        "test,normal,photos/3.png,",
        "test,defect,photos/4.png,mask.png",
    ]
    folder = open_list(written(photos, "\n".join(rows).replace(",", delimiter)))
    assert sides(folder) == (["0.png"], ["3.png"], ["4.png"])
    assert folder.has_masks
    assert {left.reason.partition(":")[0] for left in folder.left_out} == {"defective", "validation photographs"}


def test_columns_that_hold_0_and_1(photos):
    assert sides(open_list(written(photos, "path,is_anomaly\nphotos/0.png,0\nphotos/1.png,1\n")))[2] == ["1.png"]
    assert sides(open_list(written(photos, "path,OK\nphotos/0.png,0\nphotos/1.png,1\n")))[2] == ["0.png"]
    message = refusal(written(photos, "path,label\nphotos/0.png,0\nphotos/1.png,1\n"))
    assert "cannot tell which labels" in message
    assert sides(open_list(photos / "list.csv", ["0"]))[2] == ["1.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("photos/0.png,a\nphotos/1.png,b\n", "there are a, b"),
        ("path,label\nphotos/0.png,good\nphotos/1.png,\n", "row 3 of"),
        ("path,label\n,good\n", "names no photograph"),
        ("path,label,split\nphotos/0.png,good,later\n", "has the split 'later'"),
        ("object,image,label\nnut,photos/0.png,good\nbolt,photos/1.png,good\n", "lists 2 products (bolt, nut)"),
        ("path,remark\nphotos/0.png,hello\n", "call the one with the verdicts label"),
        ("photos/0.png,good\nphotos/0.png,bad\n", "listed twice with different meanings"),
        ("path,anomaly\nphotos/0.png,maybe\n", "holds 0 or 1"),
        ("photos/0.png,good\nphotos/none.png,bad\n", "cannot be found"),
    ],
)
def test_tables_that_leave_a_doubt_are_refused(photos, text, message):
    assert message in refusal(written(photos, text))


def test_a_mask_that_is_not_there_is_minded_by_who_needs_it(photos):
    folder = open_list(written(photos, "photos/0.png,good\nphotos/1.png,bad,none.png\n"))
    assert "of 1 mask" in folder.masks_fault
    assert "1 cannot be found, such as" in folder.masks_fault


def test_labels_of_ones_own(photos):
    path = written(photos, "photos/0.png,a\nphotos/1.png,b\nphotos/2.png,c\n")
    assert sides(open_list(path, ["a", "c"])) == (["0.png", "2.png"], ["0.png", "2.png"], ["1.png"])
    assert "is not a label of" in refusal(path, "d")


def line(photograph: str, label: int, name: str | None = None, **more: object) -> str:
    metadata = {} if name is None else {"anomaly-label-metadata": {"class-name": name, "type": "groundtruth/x"}}
    return json.dumps({"source-ref": photograph, "anomaly-label": label, **metadata, **more})


def test_a_manifest_with_references_to_a_cloud(photos):
    colours = Image.new("RGB", (8, 6), "white")
    colours.putpixel((3, 2), (44, 160, 44))
    colours.save(photos / "mask.png")
    map_ = {
        "0": {"class-name": "BACKGROUND", "hex-color": "#ffffff"},
        "1": {"class-name": "cut", "hex-color": "#2ca02c"},
    }
    mask = {"anomaly-mask-ref": "s3://bucket/m/mask.png", "anomaly-mask-ref-metadata": {"internal-color-map": map_}}
    text = "\n".join(
        [
            line("s3://bucket/project/photos/0.png", 0, "normal"),
            line("photos/1.png", 0),
            line((photos / "photos" / "2.png").as_uri(), 1, "anomaly", **mask),
        ]
    )
    folder = open_data(written(photos, text, "train.manifest"))
    assert sides(folder) == (["0.png", "1.png"], ["0.png", "1.png"], ["2.png"])
    np.testing.assert_array_equal(np.argwhere(read_sample_mask(folder.test[2], (6, 8))), [[2, 3]])


def test_a_manifest_with_class_names_alone(photos):
    text = "\n".join(
        json.dumps({"source-ref": f"photos/{i}.png", "job": 7, "job-metadata": {"class-name": name}})
        for i, name in enumerate(["good", "good", "dent"])
    )
    folder = open_list(written(photos, text, "m.jsonl"))
    assert folder.test[2].defect == "dent"


def test_a_manifest_whose_zero_is_anomalous(photos):
    reversed_ = [(1, "normal"), (1, "normal"), (0, "anomaly")]
    text = "\n".join(line(f"photos/{i}.png", number, name) for i, (number, name) in enumerate(reversed_))
    folder = open_list(written(photos, text, "m.jsonl"))
    assert sides(folder) == (["0.png", "1.png"], ["0.png", "1.png"], ["2.png"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line("s3://bucket/elsewhere/9.png", 0), "there is no 9.png beside the manifest"),
        (line("https://example.com/0.png", 0), "only files on this machine"),
        ("\n".join([line("photos/0.png", 1, "normal"), line("photos/1.png", 0, "normal")]), "make them agree"),
        ("\n".join([line("photos/0.png", 1, "normal"), line("photos/1.png", 0)]), "has no class name"),
        (line("photos/0.png", 2), "0 is normal, 1 an anomaly"),
        ('{"source-ref": "photos/0.png"}', "has no label"),
        ('{"anomaly-label": 1}', "has no source-ref"),
        ('{"source-ref": ', "not a JSON object"),
    ],
)
def test_manifests_that_cannot_be_followed(photos, text, message):
    assert message in refusal(written(photos, text, "m.jsonl"))


def test_a_list_that_is_no_text(photos):
    (photos / "list.txt").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refusal(photos / "list.txt")
    assert "there is no list" in refusal(photos / "none.txt")
