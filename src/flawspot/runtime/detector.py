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

from flawspot.errors import ArtifactError, InspectionError, SignatureError
from flawspot.runtime.artifact import Artifact, read
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.prediction import Prediction
from flawspot.runtime.prefetch import WORKERS, prefetch
from flawspot.runtime.reduced import Decoded, prepare, read_photograph
from flawspot.runtime.self_test import check
from flawspot.runtime.session import open_session
from flawspot.runtime.signature import Key, trusted_keys_of_environment, verify

if TYPE_CHECKING:
    from PIL import Image

    Photograph = str | os.PathLike[str] | NDArray[np.generic] | Image.Image | Decoded

OUTPUTS = ["anomaly_map", "score"]


class Detector:
    """A trained detector, ready to predict. Made by `load`.

        >>> detector
        Detector(padim on mobilenet_v2, layers 3, 8, 14, input 64 x 64, threshold 100)
        >>> detector.manifest.training.images
        40

    Attributes:
        manifest: everything the artifact says of itself.
    """

    def __init__(self, manifest: Manifest, session: onnxruntime.InferenceSession, *, fast_jpeg: bool = False) -> None:
        self.manifest = manifest
        self._session = session
        self._fast_jpeg = fast_jpeg

    def __repr__(self) -> str:
        return f"Detector({self.manifest.title()}, threshold {self.manifest.calibration.threshold:.6g})"

    @overload
    def predict(self, image: Photograph, *, keep_image: bool | None = None) -> Prediction: ...  # type: ignore[overload-overlap]  # a str is a sequence
    @overload
    def predict(self, image: Sequence[Photograph], *, keep_image: bool | None = None) -> list[Prediction]: ...
    def predict(
        self, image: Photograph | Sequence[Photograph], *, keep_image: bool | None = None
    ) -> Prediction | list[Prediction]:
        """Find the defects of one photograph or of several.

            >>> detector.predict("new.png")
            Prediction(anomalous, severity 2.3, score 230, 1 region, new.png)
            >>> [prediction.verdict for prediction in detector.predict(["new.png", "photos/test/good/0.png"])]
            ['anomalous', 'good']

        Args:
            image: a path; what `read` returned; a PIL image; an array (H, W, 3) RGB, (H, W) grey or (H, W, 4) RGBA,
                uint8 or uint16; or a sequence of those. An array (N, H, W, 3) is a batch as well. Beware that OpenCV's
                arrays are BGR: pass ``image[..., ::-1]``.
            keep_image: whether a prediction keeps the pixels of its photograph for `Prediction.plot`, 3 bytes for each;
                an array of yours is kept as it is, not copied. By default that of a photograph given alone does, those
                of a sequence or batch do not: what came from a file is read again when it is plotted.

        Returns:
            A `Prediction`, or a list of them for a sequence or batch. Of a sequence of files the next ones are decoded
            while the detector looks at the present one. Each holds its map, S x S float32: 10,000 of them at an input
            size of 224 take 2 GB, so predict as many in parts, or one by one.

        Raises:
            ImageError: a photograph that cannot be read.
            InspectionError: one that was read, and that the detector failed on.
        """
        if isinstance(image, np.ndarray) and image.ndim == 4:
            return [self._look_at(self._decoded(each), bool(keep_image)) for each in image]
        if isinstance(image, Sequence) and not isinstance(image, str):
            files = any(isinstance(each, str | os.PathLike) for each in image)
            predictions = []
            for _, decoded in prefetch(image, self._decoded, workers=WORKERS if files else 0):
                if isinstance(decoded, Exception):
                    raise decoded
                predictions.append(self._look_at(decoded, bool(keep_image)))
            return predictions
        return self._look_at(self._decoded(image), keep_image is not False)

    def read(self, path: str | os.PathLike[str]) -> Decoded:
        """Decode a photograph as this detector wants it, to be given to `predict`; may be called from other threads.

        Raises:
            ImageError: it cannot be read.
        """
        return read_photograph(Path(path), self.manifest.input_size, fast_jpeg=self._fast_jpeg)

    def _decoded(self, image: Photograph) -> Decoded:
        if isinstance(image, Decoded):
            return image
        return self.read(image) if isinstance(image, str | os.PathLike) else prepare(image, self.manifest.input_size)

    def _look_at(self, photograph: Decoded, keep: bool) -> Prediction:
        begin = time.perf_counter()
        anomaly_maps, scores = self.run(photograph.pixels[None])
        return Prediction(
            score=float(scores[0]),
            map=anomaly_maps[0],
            image_size=photograph.size,
            calibration=self.manifest.calibration,
            seconds=time.perf_counter() - begin,
            path=photograph.path,
            photograph=photograph if keep else None,
        )

    def run(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the graph on (N, H, W, 3) uint8 RGB -> anomaly maps (N, S, S) and scores (N,), float32.

        A photograph at a time is as fast on a CPU, and takes less memory.

        Raises:
            InspectionError: ONNX Runtime fails, or maps and scores are not finite numbers of these shapes.
        """
        try:
            anomaly_map, score = self._session.run(OUTPUTS, {"image": np.ascontiguousarray(batch)})
        except Exception as error:  # ONNX Runtime raises classes of its own that share no base but Exception
            raise InspectionError(f"not inspected: ONNX Runtime failed on it ({_reason(error)})") from None
        size, count = self.manifest.input_size, len(batch)
        if anomaly_map.shape != (count, size, size) or score.shape != (count,):
            raise InspectionError(
                f"not inspected: the detector gave a map of {list(anomaly_map.shape)} and a score of "
                f"{list(score.shape)} where {[count, size, size]} and {[count]} are right"
            )
        if not (np.isfinite(score).all() and np.isfinite(anomaly_map).all()):
            raise InspectionError("not inspected: the detector's score or map is not a finite number")
        return anomaly_map, score


def load(
    source: str | os.PathLike[str] | Artifact,
    *,
    threads: int | None = None,
    fast_jpeg: bool = False,
    trusted_keys: Sequence[Key] | None = None,
    self_test: bool = False,
) -> Detector:
    """Load an artifact, verified.

        >>> detector = flawspot.load("part.onnx")
        >>> detector.predict("new.png").is_anomalous
        True

    Args:
        source: the .onnx file that training wrote, or the artifact that `flawspot.train` returned.
        threads: how many the detector may use; None takes as many as FLAWSPOT_THREADS says, else one for each physical
            core.
        fast_jpeg: decode large JPEGs at reduced size, where that changes the resized photograph by 2 of 255 grey levels
            at most, as measured; see `flawspot.runtime.reduced.read_photograph`.
        trusted_keys: files of public keys; the artifact must be signed by one of them. None takes those that
            FLAWSPOT_TRUSTED_KEYS names, and asks for no signature where it names none.
        self_test: see first whether this machine computes what the detector was made with, on a generated picture; it
            takes as long as one photograph. Artifacts made before there was a self-test pass.

    Raises:
        ArtifactError: no such file, not an artifact of flawspot, of a newer schema, or damaged; or, with `self_test`,
            this machine computes something else.
        SignatureError: no trusted key has signed it.
    """
    artifact = source if isinstance(source, Artifact) else read(Path(source))
    what = "the artifact" if isinstance(source, Artifact) else str(source)
    keys = trusted_keys_of_environment() if trusted_keys is None else trusted_keys
    if keys or trusted_keys is not None:
        try:
            verify(artifact, keys)
        except SignatureError as error:
            raise SignatureError(f"{what} cannot be used: {error}") from None
    try:
        session = open_session(artifact.model, threads=threads)
    except Exception as error:  # as in `Detector.run`
        raise ArtifactError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load {what}: {_reason(error)}. "
            "Update it with `pip install -U onnxruntime`"
        ) from None
    detector = Detector(artifact.manifest, session, fast_jpeg=fast_jpeg)
    if self_test and artifact.manifest.self_test is not None:
        try:
            check(artifact.manifest.self_test, detector.run)
        except (ArtifactError, InspectionError) as error:
            raise ArtifactError(f"{what} cannot be used: {error}") from None
    return detector


def _reason(error: Exception) -> str:
    """The first line of what ONNX Runtime says."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
