"""The artifact at work: numpy, pillow and ONNX Runtime, nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from flawspot.artifact import Artifact, read
from flawspot.errors import ArtifactError
from flawspot.manifest import Manifest
from flawspot.prediction import Prediction
from flawspot.runtime.images import read_image, to_rgb

if TYPE_CHECKING:
    from PIL import Image

    Photograph = str | os.PathLike[str] | NDArray[np.generic] | Image.Image

OUTPUTS = ["anomaly_map", "score"]

THREADS = "FLAWSPOT_THREADS"
"""Threads of a session that was not told how many, for processes that share a machine."""


class Detector:
    """A trained detector, ready to predict. Made by `load`.

    Attributes:
        manifest: everything the artifact says of itself.
    """

    def __init__(self, manifest: Manifest, session: onnxruntime.InferenceSession) -> None:
        self.manifest = manifest
        self._session = session

    @overload
    def predict(self, image: Photograph) -> Prediction: ...  # type: ignore[overload-overlap]  # a str is a sequence
    @overload
    def predict(self, image: Sequence[Photograph]) -> list[Prediction]: ...
    def predict(self, image: Photograph | Sequence[Photograph]) -> Prediction | list[Prediction]:
        """Find the defects of one photograph or of several.

        Args:
            image: a path; a PIL image; an array (H, W, 3) RGB, (H, W) grey or (H, W, 4) RGBA, uint8 or uint16; or a
                sequence of those. An array (N, H, W, 3) is a batch as well. Beware that OpenCV's arrays are BGR: pass
                ``image[..., ::-1]``.

        Returns:
            A `Prediction`, or a list of them for a sequence or batch.

        Raises:
            ImageError: a photograph that cannot be read.
        """
        if isinstance(image, np.ndarray) and image.ndim == 4:
            return [self._predict_one(each) for each in image]
        if isinstance(image, Sequence) and not isinstance(image, str):
            return [self._predict_one(each) for each in image]
        return self._predict_one(image)

    def _predict_one(self, image: Photograph) -> Prediction:
        pixels = read_image(Path(image)) if isinstance(image, str | os.PathLike) else to_rgb(image)
        begin = time.perf_counter()
        anomaly_maps, scores = self.run(pixels[None])
        return Prediction(
            score=float(scores[0]),
            map=anomaly_maps[0],
            image_size=(pixels.shape[1], pixels.shape[0]),
            calibration=self.manifest.calibration,
            seconds=time.perf_counter() - begin,
        )

    def run(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the graph on (N, H, W, 3) uint8 RGB -> anomaly maps (N, S, S) and scores (N,), float32.

        A photograph at a time is as fast on a CPU, and takes less memory.
        """
        anomaly_map, score = self._session.run(OUTPUTS, {"image": np.ascontiguousarray(batch)})
        return anomaly_map, score


def load(source: str | os.PathLike[str] | Artifact, *, threads: int | None = None) -> Detector:
    """Load an artifact, verified.

    Args:
        source: the .onnx file that training wrote, or the artifact that `flawspot.train` returned.
        threads: how many the detector may use; None takes as many as FLAWSPOT_THREADS says, else one for each physical
            core.

    Raises:
        ArtifactError: no such file, not an artifact of flawspot, of a newer schema, or damaged.
    """
    artifact = source if isinstance(source, Artifact) else read(Path(source))
    try:
        session = open_session(artifact.model, threads=threads)
    except Exception as error:  # ONNX Runtime raises classes of its own that share no base but Exception
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        what = "the artifact" if isinstance(source, Artifact) else source
        raise ArtifactError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load {what}: {reason}. "
            "Update it with `pip install -U onnxruntime`"
        ) from None
    return Detector(artifact.manifest, session)


def open_session(model: bytes, *, threads: int | None = None) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on `model`: the GPU where ONNX Runtime has one, else the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is None and os.environ.get(THREADS, "").isdecimal():
        threads = int(os.environ[THREADS])
    if threads is not None:
        options.intra_op_num_threads = threads
    available = onnxruntime.get_available_providers()
    providers = [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in available]
    return onnxruntime.InferenceSession(model, options, providers=providers)
