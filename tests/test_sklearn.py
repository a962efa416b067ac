"""Estimators in scikit-learn's manner: its own checks where they make sense, and what people do with estimators."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

import flawspot
from flawspot.errors import ConfigurationError, DataError, ImageError
from flawspot.sklearn import DefectDetector

SMALL = {"method": "padim", "settings": {"channels": 4}, "layers": (1, 2), "input_size": 64, "random_weights": True}

CHECKS = (
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
)
"""Those that give no table of numbers: photographs are no rows of features, as the estimator's tags say."""


@pytest.fixture(scope="module")
def fitted(product_folder: Path) -> DefectDetector:
    return DefectDetector(**SMALL, random_state=3).fit(_paths(product_folder / "train" / "good"))


def _paths(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("name", CHECKS)
def test_scikit_learns_own_checks(name: str) -> None:
    getattr(estimator_checks, name)("DefectDetector", DefectDetector())


def test_its_checks_with_tables_are_left_out_by_its_tags() -> None:
    assert is_outlier_detector(DefectDetector())
    tags = DefectDetector().__sklearn_tags__()
    assert not tags.input_tags.two_d_array
    assert tags.no_validation


def test_it_finds_what_flawspot_finds(fitted: DefectDetector, product_folder: Path, tmp_path: Path) -> None:
    paths = [*_paths(product_folder / "test" / "good"), *_paths(product_folder / "test" / "spot")]
    artifact = flawspot.train(
        product_folder / "train" / "good", **SMALL, seed=3, output=tmp_path / "part.onnx", progress=False
    )
    detector = flawspot.load(artifact)
    plain = detector.predict(paths)
    np.testing.assert_array_equal(fitted.score_samples(paths), [-found.score for found in plain])
    assert fitted.predict(paths).tolist() == [-1 if found.is_anomalous else 1 for found in plain]
    np.testing.assert_array_equal(fitted.anomaly_maps(paths), np.stack([found.map for found in plain]))
    decisions = fitted.decision_function(paths)
    np.testing.assert_array_equal(decisions, fitted.score_samples(paths) - fitted.offset_)
    assert decisions[:4].min() > decisions[4:].max()


def test_arrays_are_as_good_as_files(fitted: DefectDetector, product_folder: Path) -> None:
    paths = _paths(product_folder / "train" / "good")
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    of_arrays = DefectDetector(**SMALL, random_state=3).fit(pixels)
    tested = _paths(product_folder / "test" / "spot")
    given = [np.asarray(Image.open(path).convert("RGB")) for path in tested]
    np.testing.assert_array_equal(of_arrays.score_samples(given), of_arrays.score_samples(tested))
    assert of_arrays.artifact_.manifest.training.images == fitted.artifact_.manifest.training.images


def test_what_is_labelled_defective_is_not_learned(fitted: DefectDetector, product_folder: Path) -> None:
    good, defective = _paths(product_folder / "train" / "good"), _paths(product_folder / "test" / "spot")
    labels = [1] * len(good) + [-1] * len(defective)
    again = DefectDetector(**SMALL, random_state=3).fit(good + defective, labels)
    np.testing.assert_array_equal(again.score_samples(defective), fitted.score_samples(defective))


def test_a_grid_search_in_a_pipeline(product_folder: Path) -> None:
    good, defective = _paths(product_folder / "train" / "good"), _paths(product_folder / "test" / "spot")
    photographs = [np.asarray(Image.open(path).convert("RGB")) for path in [*good, *defective]]
    labels = np.array([1] * len(good) + [-1] * len(defective))
    pipeline = make_pipeline(FunctionTransformer(_without_border), DefectDetector(**SMALL, random_state=0))
    search = GridSearchCV(
        pipeline, {"defectdetector__layers": [(1,), (1, 2)]}, scoring="roc_auc", cv=StratifiedKFold(2)
    ).fit(photographs, labels)
    assert search.best_score_ > 0.9
    assert set(search.predict(photographs[-2:])) == {-1}


def _without_border(photographs: list[np.ndarray]) -> list[np.ndarray]:
    return [photograph[2:-2, 2:-2] for photograph in photographs]


def test_a_fitted_one_can_be_pickled_and_a_clone_is_not_fitted(fitted: DefectDetector, product_folder: Path) -> None:
    paths = _paths(product_folder / "test" / "spot")
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.score_samples(paths), fitted.score_samples(paths))
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(paths)


def test_what_cannot_be_read_is_not_called_good(fitted: DefectDetector, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"broken\.png"):
        fitted.predict([str(broken)])


@pytest.mark.parametrize(
    ("given", "labels", "said"),
    [
        ("a.png", None, "one path"),
        ([], None, "no photographs"),
        (None, None, "None is no set of photographs"),
        (3, None, "3 is no set of photographs"),
        (np.zeros((4, 5)), None, r"shape \(4, 5\)"),
        (np.zeros((2, 8, 8, 3)), None, "float64"),
        ([np.zeros((8, 8, 3), np.uint8), 3], None, "int"),
        (["a.png", "b.png"], [1], "2 labels"),
        (["a.png", "b.png"], [1, 0], "2 labels"),
        (["a.png", "b.png"], [-1, -1], "nothing to learn from"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(given: object, labels: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        DefectDetector(**SMALL).fit(given, labels)


def test_an_error_speaks_of_the_arrays_and_not_of_a_temporary_folder() -> None:
    with pytest.raises(DataError, match=r"^1 readable good image in the given arrays: padim needs at least 2"):
        DefectDetector(**SMALL).fit(np.zeros((1, 40, 40, 3), np.uint8))


def test_a_photograph_that_is_not_there_and_a_parameter_out_of_range(tmp_path: Path, product_folder: Path) -> None:
    with pytest.raises((DataError, ImageError), match=r"missing\.png"):
        DefectDetector(**SMALL).fit([tmp_path / "missing.png"])
    with pytest.raises(ConfigurationError, match="false-alarm rate"):
        DefectDetector(**SMALL, false_alarm_rate=2).fit(_paths(product_folder / "train" / "good"))
