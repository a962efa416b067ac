"""Which pasted defects are found: with a detector whose map is known, and with one of random weights."""

import dataclasses
import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

import flawspot
from flawspot.data.learned import content_hash
from flawspot.errors import ConfigurationError, DataError
from flawspot.runtime.artifact import assemble
from flawspot.runtime.prediction import Prediction
from flawspot.smallest import smallest_defect
from flawspot.smallest.defects import Place, at
from flawspot.smallest.trying import shows

SIDE = 64


@pytest.fixture(scope="module")
def red(tiny_model, tiny_manifest):
    """A detector whose map is the red channel of a photograph of 64 x 64; above 100 is anomalous."""
    model = onnx.load_from_string(tiny_model)
    for constant in model.graph.initializer:
        if constant.name == "end":
            constant.CopyFrom(numpy_helper.from_array(np.array([SIDE, SIDE, 1]), "end"))
    return assemble(model.SerializeToString(), dataclasses.replace(tiny_manifest, input_size=SIDE))


@pytest.fixture
def folder(tmp_path):
    """``save(name, level, ...)``: a photograph of 64 x 64 of one level."""

    def save(name, level, size=(SIDE, SIDE), dtype=np.uint8, channels=3):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((size[1], size[0], channels) if channels > 1 else (size[1], size[0]), level, dtype)
        Image.fromarray(pixels).save(path)
        return path

    save.root = tmp_path / "photos"
    return save


def good(save, count=4, level=40, **options):
    return [save(f"train/good/{index}.png", level + index % 2, **options) for index in range(count)]


def counts(measured, kind, contrast):
    return [size.found for size in measured.found.curves()[kind, contrast]]


def test_what_is_bright_enough_is_found(red, folder):
    good(folder)
    measured = smallest_defect(red, folder.root, trials=6, contrasts=[40, 80], progress=False)
    found = measured.found
    # 40 and 41 plus 40 are not above 100; plus 80 they are, and there is no room to be darker.
    assert counts(measured, "spot", 40.0) == [0, 0, 0, 0, 0, 0]
    assert counts(measured, "spot", 80.0)[1:] == [6] * 5
    assert counts(measured, "scratch", 80.0) == [6] * 4
    assert (found.threshold, found.trials, found.photographs, found.false_alarms) == (100.0, 6, 4, 0)
    assert found.from_size == found.to_size == (SIDE, SIDE)
    assert found.learned
    none, reached = measured.sentences()[:2]
    assert none == (
        "scratches, 40 grey levels: no size is found 6 times of 6; the largest tried, 16 x 4 pixels: 0 of 6 "
        "(0.00 to 0.39)"
    )
    assert reached == "scratches of 4 x 1 pixels and more, the smallest tried, 80 grey levels: 6 of 6 (0.61 to 1.00)"
    assert len(measured.examples) == len(found.sizes) / 2
    assert {example.key[3] for example in measured.examples} == {80.0}


def test_the_seed_decides(red, folder):
    good(folder, level=55)
    first = smallest_defect(red, folder.root, trials=5, progress=False)
    assert first.found == smallest_defect(red, folder.root, trials=5, progress=False).found
    assert json.loads(json.dumps(first.as_dict()))["sentences"] == first.sentences()


def test_false_alarms_are_left_out_and_counted(red, folder):
    good(folder, 3)
    alarm = folder("train/good/alarm.png", 130)
    measured = smallest_defect(red, folder.root, trials=8, contrasts=[80], progress=False)
    assert measured.false_alarms == (alarm,)
    assert (measured.found.photographs, measured.found.false_alarms) == (3, 1)
    assert counts(measured, "spot", 80.0)[-1] == 8


def test_only_false_alarms(red, folder):
    folder("train/good/0.png", 130)
    with pytest.raises(DataError, match="called anomalous without a defect: choose a higher threshold"):
        smallest_defect(red, folder.root, progress=False)


def test_what_cannot_be_read_is_told(red, folder):
    good(folder)
    broken = folder("train/good/broken.png", 3)
    broken.write_bytes(b"no picture")
    measured = smallest_defect(red, folder.root, trials=8, contrasts=[80], progress=False)
    assert [path for path, _ in measured.skipped] == [broken]
    assert measured.found.photographs == 4
    for path in folder.root.glob("train/good/*"):
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="none of the 5 good photographs"):
        smallest_defect(red, folder.root, progress=False)


def test_no_good_photographs(red, folder):
    folder("test/scratch/0.png", 40)
    with pytest.raises(DataError, match="good"):
        smallest_defect(red, folder.root, progress=False)


def test_photographs_that_were_not_learned_from_serve_first(red, folder):
    train = good(folder)
    tested = folder("test/good/0.png", 50)
    folder("test/scratch/0.png", 200)
    measured = smallest_defect(red, folder.root, trials=3, contrasts=[80], progress=False)
    assert (measured.found.photographs, measured.found.learned) == (1, False)

    def resting(paths, folds):
        calibration = dataclasses.replace(red.manifest.calibration, hashes=(content_hash(paths[0]),) * 4, folds=folds)
        return assemble(red.model, dataclasses.replace(red.manifest, calibration=calibration))

    held_out = smallest_defect(resting(train, 0), folder.root, trials=3, contrasts=[80], progress=False)
    assert (held_out.found.photographs, held_out.found.learned) == (2, False)  # 0.png and its copy 2.png
    tested.unlink()
    folds = smallest_defect(resting(train, 2), folder.root, trials=3, contrasts=[80], progress=False)
    assert (folds.found.photographs, folds.found.learned) == (2, True)


@pytest.mark.parametrize(
    "options",
    [{"dtype": np.uint16, "channels": 1, "level": 40 * 257}, {"channels": 1, "level": 40}],
    ids=["16 bits", "grey"],
)
def test_photographs_of_other_kinds(red, folder, options, recwarn):
    manifest = dataclasses.replace(red.manifest, bits=16 if "dtype" in options else 8)
    for index in range(2):
        folder(f"{index}.png", **options)
    measured = smallest_defect(assemble(red.model, manifest), folder.root, trials=3, contrasts=[80], progress=False)
    assert counts(measured, "spot", 80.0)[-1] == 3
    assert not [each for each in recwarn if issubclass(each.category, flawspot.FlawspotWarning)]


def test_photographs_of_various_sizes(small_detector, folder):
    """The ladder is that of the smallest, so that every defect has room; a photograph above two megapixels is one."""
    for index, size in enumerate([(70, 90), (2300, 1000), (90, 70)]):
        folder(f"{index}.png", 90, size=size)
    measured = smallest_defect(small_detector, folder.root, trials=3, contrasts=[80], progress=False)
    assert (measured.found.from_size, measured.found.to_size) == ((70, 90), (2300, 1000))
    assert max(size.width for size in measured.found.sizes) == 8


@pytest.fixture(scope="module")
def small_detector(product_folder):
    """A PaDiM detector of random weights."""
    method = flawspot.PaDiM(channels=8)
    return flawspot.train(
        product_folder, method=method, random_weights=True, layers=[1], input_size=64, progress=False
    ).with_threshold(1e6)


@pytest.mark.usefixtures("one_thread")
def test_with_a_trained_detector(product_folder, small_detector):
    high = max(small_detector.manifest.calibration.scores)
    artifact = small_detector.with_threshold(1.05 * high)
    measured = smallest_defect(artifact, product_folder, trials=6, contrasts=[80], progress=False)
    spots = counts(measured, "spot", 80.0)
    assert spots[-1] > spots[0]
    assert not measured.found.learned  # there are good test photographs


@pytest.mark.parametrize(
    "options",
    [
        {"trials": 0},
        {"trials": 1001},
        {"trials": 10**5000},
        {"trials": 2.5},
        {"share": 0},
        {"share": float("nan")},
        {"share": 1.1},
        {"contrasts": []},
        {"contrasts": [0]},
        {"contrasts": [float("nan")]},
        {"contrasts": range(1, 20)},
        {"contrasts": [10**5000]},
        {"seed": -1},
    ],
    ids=range(13),
)
def test_numbers_out_of_range(red, folder, options):
    with pytest.raises(ConfigurationError):
        smallest_defect(red, folder.root, progress=False, **options)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [((30, 30), True), ((31, 33), True), ((31, 35), False), (None, False)],
    ids=["on it", "near it", "elsewhere", "nowhere"],
)
def test_found_means_that_the_map_is_above_the_threshold_there(red, marked, expected):
    """The photograph has 128 pixels for the map's 64; the spot reaches 4 pixels, and the tolerance 4 more."""
    values = np.zeros((64, 64), np.float32)
    if marked:
        values[marked] = 101
    prediction = Prediction(float(values.max()), values, (128, 128), red.manifest.calibration)
    assert shows(prediction, at(Place(61, 61, 0, 0, 1), "spot", (8, 8), 40, (128, 128))) is expected
