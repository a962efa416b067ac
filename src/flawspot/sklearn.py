"""A detector as a scikit-learn estimator, for pipelines and parameter searches.

    from flawspot.sklearn import DefectDetector

    detector = DefectDetector(method="padim").fit(paths_of_good_parts)
    detector.predict(new_paths)              # 1 for good, -1 for anomalous, as of every outlier detector there
    detector.artifact_.save("part.onnx")     # the artifact, for the device

It trains and predicts with `flawspot.train` and `flawspot.load`, so the results are the same. It needs
``flawspot[sklearn]``.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.extras import missing_package
from flawspot.methods import DEFAULT_METHOD
from flawspot.runtime.calibration import DEFAULT_FALSE_ALARM_RATE
from flawspot.runtime.detector import load
from flawspot.training.road import DEFAULT_INPUT_SIZE, train

try:
    from sklearn.base import BaseEstimator, OutlierMixin
    from sklearn.utils.validation import check_is_fitted
except ModuleNotFoundError as error:
    raise missing_package(error, "flawspot.sklearn") or error from None

if TYPE_CHECKING:
    from flawspot.data.tolerances import Given
    from flawspot.methods.base import Method
    from flawspot.runtime.prediction import Prediction

Photographs = Sequence[str | os.PathLike[str]] | Sequence[NDArray[np.uint8]] | NDArray[Any]
"""Photographs for training and prediction: paths; or RGB or grey photographs, uint8, as (N, H, W, 3) or a sequence of
arrays (H, W, 3) or (H, W) of any sizes."""

_AT_ONCE = 64
"""Photographs whose maps are held in memory at a time."""


class DefectDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learns from photographs of good parts, and tells which new ones differ.

        >>> from flawspot.sklearn import DefectDetector
        >>> good = [f"photos/train/good/{number}.png" for number in range(8)]
        >>> detector = DefectDetector(method="padim", input_size=64, random_weights=True).fit(good)
        >>> detector.predict(["photos/test/good/0.png", "photos/test/scratch/0.png"]).tolist()
        [1, -1]

    The parameters are those of `flawspot.train`, with the same defaults and ranges. `fit` reports a wrong one.

    Attributes:
        artifact_: the trained `flawspot.Artifact`; its ``save`` writes the .onnx file.
        detector_: the `flawspot.Detector` that runs it.
        offset_: minus the threshold: ``decision_function(X) = score_samples(X) - offset_``.
    """

    def __init__(
        self,
        method: str | Method = DEFAULT_METHOD,
        *,
        settings: Mapping[str, Any] | None = None,
        backbone: str = "mobilenet_v2",
        layers: str | Sequence[int] | None = None,
        weights: str | None = None,
        random_weights: bool = False,
        input_size: int | str | tuple[int, int] = DEFAULT_INPUT_SIZE,
        normalization: str = "weights",
        precision: str = "float32",
        tolerate: Given = None,
        false_alarm_rate: float = DEFAULT_FALSE_ALARM_RATE,
        calibration: str = "auto",
        random_state: int | None = None,
        verbose: bool = False,
    ) -> None:
        """Args: as for `flawspot.train`; `random_state` is its ``seed``, a whole number or None, and `verbose` its
        ``progress``."""
        self.method = method
        self.settings = settings
        self.backbone = backbone
        self.layers = layers
        self.weights = weights
        self.random_weights = random_weights
        self.input_size = input_size
        self.normalization = normalization
        self.precision = precision
        self.tolerate = tolerate
        self.false_alarm_rate = false_alarm_rate
        self.calibration = calibration
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Photographs, y: ArrayLike | None = None) -> DefectDetector:  # noqa: N803  (scikit-learn's name)
        """Train, see `flawspot.train`, and keep the artifact.

        Args:
            X: photographs. Arrays are written to a temporary folder first.
            y: None if all show good parts; else (N,), 1 for good and -1 for defective. Defective ones are not learned
                from.

        Raises:
            ConfigurationError: there are no photographs, arrays have a wrong form, or labels do not fit.
            FlawspotError: any error of `flawspot.train`.
        """
        photographs = _listed(X)
        if y is not None:
            photographs = _good_ones(photographs, np.asarray(y))
        with _as_files(photographs) as paths:
            self.artifact_ = train(
                paths,
                method=self.method,
                settings=self.settings,
                backbone=self.backbone,
                layers=self.layers,
                weights=self.weights,
                random_weights=self.random_weights,
                input_size=self.input_size,
                normalization=self.normalization,
                precision=self.precision,
                tolerate=self.tolerate,
                false_alarm_rate=self.false_alarm_rate,
                calibration=self.calibration,
                seed=self.random_state,
                progress=self.verbose,
            )
        self.detector_ = load(self.artifact_)
        self.offset_ = -float(self.artifact_.manifest.calibration.threshold)
        return self

    def score_samples(self, X: Photographs) -> NDArray[np.float64]:  # noqa: N803
        """(N,) minus the image scores: a lower value is more anomalous.

        Raises:
            ImageError: a photograph cannot be read, as it must not be called good silently.
        """
        return np.array([-found.score for found in self._predictions(X)], np.float64)

    def decision_function(self, X: Photographs) -> NDArray[np.float64]:  # noqa: N803
        """(N,) the threshold minus the image scores: below 0 for an anomalous photograph."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Photographs) -> NDArray[np.int64]:  # noqa: N803
        """(N,) 1 for good, -1 for anomalous."""
        return np.where(self.decision_function(X) < 0, -1, 1).astype(np.int64)

    def anomaly_maps(self, X: Photographs) -> NDArray[np.float32]:  # noqa: N803
        """(N, S, S) the anomaly maps; if proportions are kept, all photographs must have one shape."""
        return np.stack([found.map for found in self._predictions(X)])

    def _predictions(self, photographs: Photographs) -> Iterator[Prediction]:
        check_is_fitted(self, "detector_")
        listed = _listed(photographs)
        for start in range(0, len(listed), _AT_ONCE):
            found = self.detector_.predict(listed[start : start + _AT_ONCE], on_error="raise")
            yield from cast("list[Prediction]", found)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags


def _listed(photographs: Photographs) -> list[Any]:
    """The photographs one by one.

    Raises:
        ConfigurationError: there is a single photograph instead of several, or none.
    """
    if isinstance(photographs, str | os.PathLike):
        raise ConfigurationError(f"{photographs} is one path: give a list of the paths of photographs")
    if not isinstance(photographs, Iterable):
        raise ConfigurationError(f"{photographs!r} is no set of photographs: give a list of their paths or arrays")
    if isinstance(photographs, np.ndarray) and photographs.ndim not in (1, 4):
        raise ConfigurationError(
            f"an array of shape {photographs.shape} is not a set of photographs: give (N, H, W, 3), or a list of paths"
        )
    listed = [str(each) if isinstance(each, np.str_) else each for each in photographs]
    if not listed:
        raise ConfigurationError("there are no photographs: give at least one")
    return listed


def _good_ones(photographs: list[Any], labels: NDArray[Any]) -> list[Any]:
    if labels.shape != (len(photographs),) or not np.isin(labels, (1, -1)).all():
        raise ConfigurationError(f"y must be {len(photographs)} labels, 1 for good and -1 for defective, or None")
    good = [photograph for photograph, label in zip(photographs, labels, strict=True) if label == 1]
    if not good:
        raise ConfigurationError("no photograph is labelled 1, for good: there is nothing to learn from")
    return good


@contextlib.contextmanager
def _as_files(photographs: list[Any]) -> Iterator[list[Path]]:
    """Paths of the photographs. Arrays are written to temporary files, as training reads files repeatedly, in its own
    order."""
    if all(isinstance(each, str | os.PathLike) for each in photographs):
        yield [Path(each) for each in photographs]
        return
    with tempfile.TemporaryDirectory(prefix="flawspot-") as folder:
        paths = [Path(folder) / f"{number:06}.png" for number in range(len(photographs))]
        for path, pixels in zip(paths, photographs, strict=True):
            if not (isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.shape[2:] in ((), (3,))):
                kind = f"{pixels.dtype} of shape {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels)
                raise ConfigurationError(f"a photograph is {kind}: give uint8 of shape (H, W, 3) or (H, W), or a path")
            Image.fromarray(pixels).save(path)
        try:
            yield paths
        except FlawspotError as error:  # the folder's name says nothing to a user who gave arrays
            if folder not in str(error):
                raise
            told = str(error).replace(f"{folder}{os.sep}", "array ").replace(folder, "the given arrays")
            raise type(error)(told) from error
