"""Runs an artifact, with numpy, pillow and ONNX Runtime only."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast, overload

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from flawspot.errors import ArtifactError, FlawspotError, FlawspotWarning, ImageError, InspectionError
from flawspot.runtime.arena import allowed_megabytes, exhausted, exhausted_reason
from flawspot.runtime.artifact import Artifact, verified
from flawspot.runtime.artifact import read as read_artifact
from flawspot.runtime.decoding import MAX_PIXELS
from flawspot.runtime.integers import IN_FLOAT_INSTEAD, exact_in_integers
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.not_inspected import NotInspected
from flawspot.runtime.origin import Origin, origin_of
from flawspot.runtime.prediction import Prediction
from flawspot.runtime.prefetch import WORKERS, prefetch
from flawspot.runtime.reduced import Decoded
from flawspot.runtime.self_test import OUTPUTS as OUTPUTS
from flawspot.runtime.self_test import check
from flawspot.runtime.session import open_session
from flawspot.runtime.signature import Key, check_trusted
from flawspot.runtime.sources import Photograph, decoded, path_of, several
from flawspot.runtime.value_range import other_depth, too_bright

OnError = Literal["raise", "record"]


class Detector:
    """A trained detector, ready to predict. Made by `load`.

        >>> detector
        Detector(padim on mobilenet_v2, layers 3, 8, 14, input 64 x 64, threshold 100, on CPU)
        >>> detector.manifest.training.images
        40

    Attributes:
        manifest: everything about the detector that is not a tensor.
    """

    def __init__(
        self,
        manifest: Manifest,
        session: onnxruntime.InferenceSession,
        *,
        fast_jpeg: bool = False,
        max_pixels: int | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.manifest = manifest
        self._session = session
        self._fast_jpeg = fast_jpeg
        self._max_pixels = MAX_PIXELS if max_pixels is None else max_pixels
        self._origin = origin
        self._told_of_depth = False

    def __repr__(self) -> str:
        threshold = f"threshold {self.manifest.calibration.threshold:.6g}"
        return f"Detector({self.manifest.title()}, {threshold}, on {self.provider})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the artifact's bytes and the options of `load`. It is verified again when unpickled."""
        if self._origin is None:
            raise TypeError("a detector that was made from a session cannot be pickled: make it with flawspot.load")
        return _loaded_again, (self._origin.content(), dict(self._origin.options))

    @property
    def provider(self) -> str:
        """The processor that it runs on: ONNX Runtime's provider without the ending, ``CPU`` or ``CUDA``."""
        return str(self._session.get_providers()[0]).removesuffix("ExecutionProvider")

    @overload
    def predict(  # type: ignore[overload-overlap]  # a str is iterable, and a file an iterator
        self, image: Photograph, *, keep_image: bool | None = None, on_error: None = None
    ) -> Prediction: ...
    @overload
    def predict(  # type: ignore[overload-overlap]  # an iterator is iterable
        self, image: Iterator[Photograph], *, keep_image: bool | None = None, on_error: OnError | None = None
    ) -> Iterator[Prediction | NotInspected]: ...
    @overload
    def predict(
        self, image: Iterable[Photograph], *, keep_image: bool | None = None, on_error: OnError | None = None
    ) -> list[Prediction | NotInspected]: ...
    def predict(
        self,
        image: Photograph | Iterable[Photograph],
        *,
        keep_image: bool | None = None,
        on_error: OnError | None = None,
    ) -> Prediction | NotInspected | list[Prediction | NotInspected] | Iterator[Prediction | NotInspected]:
        """Find the defects of one photograph or of several.

            >>> detector.predict("new.png")
            Prediction(anomalous, severity 2.3, score 230, 1 region, new.png)
            >>> [prediction.verdict for prediction in detector.predict(["new.png", "photos/test/good/0.png"])]
            ['anomalous', 'good']

        Args:
            image: a path; the bytes of a file, or a file open for reading; the result of `read`; a PIL image; an array
                (H, W, 3) RGB, (H, W) grey or (H, W, 4) RGBA, uint8 or uint16. Or several photographs: a folder, a list
                or any other iterable, or an array (N, H, W, 3). Note that OpenCV's arrays are BGR: pass
                ``image[..., ::-1]``.
            keep_image: whether a prediction keeps the pixels of its photograph for `Prediction.plot`, 3 bytes for each
                pixel. An array is kept by reference, not copied. By default the pixels of a photograph given alone are
                kept. Those of several are not, and files are read again to be plotted.
            on_error: ``raise`` an error for a photograph that cannot be inspected, or ``record`` it as a `NotInspected`
                in the result. The default is ``raise`` for one photograph and ``record`` for several.

        Returns:
            A `Prediction`; for several photographs a list of them, in order. For a generator or another iterator it is
            an iterator, which asks for the next photograph only when the last prediction was taken, as is right for a
            camera. The files of a list are decoded ahead while the detector works. Each prediction holds its map, S x S
            float32. 10,000 of them at an input size of 224 take 2 GB, so predict that many in parts or from an
            iterator.

        Raises:
            ImageError: a photograph cannot be read.
            InspectionError: a photograph was read, but the detector failed on it.
            DataError: a folder has no photographs.
        """
        photographs = several(image)
        if photographs is not None:
            found = self._each(photographs, bool(keep_image), on_error != "raise")
            return found if isinstance(image, Iterator) else list(found)
        photograph = cast(Photograph, image)
        try:
            return self._look_at(self._decoded(photograph), keep_image is not False)
        except (ImageError, InspectionError) as error:
            if on_error == "record":
                return NotInspected(error, path_of(photograph))
            raise

    def _each(self, images: Iterable[Photograph], keep: bool, record: bool) -> Iterator[Prediction | NotInspected]:
        files = isinstance(images, Sequence) and any(isinstance(each, str | os.PathLike) for each in images)
        for image, read in prefetch(images, self._decoded, workers=WORKERS if files else 0):
            try:
                if isinstance(read, Exception):
                    raise read
                found: Prediction | NotInspected = self._look_at(read, keep)
            except (ImageError, InspectionError) as error:
                if not record:
                    raise
                found = NotInspected(error, path_of(image))
            yield found

    def read(self, image: Photograph) -> Decoded:
        """Decode a photograph in the form that this detector needs, to pass it to `predict`. Thread-safe.

        Raises:
            ImageError: the photograph cannot be read.
        """
        return self._decoded(image)

    def _decoded(self, image: Photograph) -> Decoded:
        view, white = self.manifest.view, self.manifest.white
        found = decoded(image, view, white=white, fast_jpeg=self._fast_jpeg, max_pixels=self._max_pixels)
        view.check_sees(found.size, found.path)
        if not isinstance(image, Decoded):  # for these, warnings were given when they were read
            name = str(path_of(image) or "a photograph")
            depth = None if self._told_of_depth else other_depth(self.manifest, found.highest, name)
            self._told_of_depth |= depth is not None
            for message in filter(None, (too_bright(self.manifest, found.highest, name), depth)):
                warnings.warn(message, FlawspotWarning, stacklevel=2)
        return found

    def _look_at(self, photograph: Decoded, keep: bool) -> Prediction:
        begin = time.perf_counter()
        anomaly_maps, scores = self.run(photograph.pixels[None])
        return Prediction(
            score=float(scores[0]),
            map=self.manifest.view.over_photograph(anomaly_maps[0], photograph.size),
            image_size=photograph.size,
            calibration=self.manifest.calibration,
            seconds=time.perf_counter() - begin,
            path=photograph.path,
            photograph=photograph if keep else None,
            white=self.manifest.white,
            view=self.manifest.geometry,
        )

    def run(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the graph on (N, H, W, 3) uint8 RGB -> anomaly maps (N, S, S) and scores (N,), float32.

        With a geometry the maps are those of the canvas: (N, *canvas), see `flawspot.runtime.view.View`.

        Running one photograph at a time is as fast on a CPU, and takes less memory.

        Raises:
            InspectionError: ONNX Runtime fails, or maps and scores are not finite numbers of these shapes.
        """
        try:
            anomaly_map, score = self._session.run(OUTPUTS, {"image": np.ascontiguousarray(batch)})
        except Exception as error:  # ONNX Runtime raises its own classes, which share no base but Exception
            if exhausted(error):
                raise InspectionError(f"not inspected: {exhausted_reason()}") from None
            raise InspectionError(f"not inspected: ONNX Runtime failed on it ({_reason(error)})") from None
        wanted, count = (len(batch), *self.manifest.view.canvas), len(batch)
        if anomaly_map.shape != wanted or score.shape != (count,):
            raise InspectionError(
                f"not inspected: the detector gave a map of {list(anomaly_map.shape)} and a score of "
                f"{list(score.shape)} where {list(wanted)} and {[count]} are right"
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
    spin: bool = False,
    device: str | None = None,
    max_pixels: int | None = None,
) -> Detector:
    """Load and verify an artifact.

        >>> detector = flawspot.load("part.onnx")
        >>> detector.predict("new.png").is_anomalous
        True

    Args:
        source: the .onnx file that training wrote, or the artifact that `flawspot.train` returned.
        threads: how many threads the detector may use; None takes the number in FLAWSPOT_THREADS, else one for each
            physical core.
        fast_jpeg: decode large JPEGs at reduced size if that changes the resized photograph by at most 2 of 255 grey
            levels, as measured; see `flawspot.runtime.reduced.read_photograph`.
        trusted_keys: files of public keys. The artifact must be signed by one of them. None takes the keys in
            FLAWSPOT_TRUSTED_KEYS; without any, no signature is needed.
        self_test: first check, on a generated picture, that this machine computes the values stored in training. It
            takes as long as one photograph. Artifacts made before self-tests existed pass.
        spin: let idle threads wait for the next photograph under full load; see
            `flawspot.runtime.session.open_session`.
        device: ``cpu`` or ``cuda``; None takes the GPU if ONNX Runtime can use one, else the CPU.
        max_pixels: largest width x height of a photograph in a file; None: 100 million. Decoding takes up to 4.6 bytes
            a pixel.

    Warns:
        FlawspotWarning: a GPU was asked for, or ONNX Runtime is built for one, but the detector runs on the CPU; or its
            8-bit integers are computed in float, because this processor truncates their products.

    Raises:
        ArtifactError: there is no such file, it is not an artifact of flawspot, is of a newer schema, or is damaged;
            or, with `self_test`, this machine computes different values.
        SignatureError: no trusted key has signed it.
        ConfigurationError: an unknown device, an impossible number of threads, or FLAWSPOT_MEMORY is not a number of
            megabytes.
    """
    artifact = source if isinstance(source, Artifact) else read_artifact(Path(source))
    what = "the artifact" if isinstance(source, Artifact) else str(source)
    check_trusted(artifact, what, trusted_keys)
    try:
        megabytes = allowed_megabytes()
        session = open_session(artifact.model, threads=threads, spin=spin, device=device, megabytes=megabytes)
    except FlawspotError:
        raise
    except Exception as error:  # see `Detector.run`
        if exhausted(error):
            raise ArtifactError(f"{what} cannot be used: {exhausted_reason()}") from None
        raise ArtifactError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load {what}: {_reason(error)}. "
            "Update it with `pip install -U onnxruntime`"
        ) from None
    if artifact.manifest.precision == "int8" and not exact_in_integers():
        warnings.warn(IN_FLOAT_INSTEAD, FlawspotWarning, stacklevel=2)
    reading = {"fast_jpeg": fast_jpeg, "max_pixels": max_pixels}
    options = {"threads": threads, "trusted_keys": trusted_keys, "spin": spin, "device": device, **reading}
    origin = origin_of(artifact, None if isinstance(source, Artifact) else Path(source), options)
    detector = Detector(artifact.manifest, session, origin=origin, fast_jpeg=fast_jpeg, max_pixels=max_pixels)
    if self_test and artifact.manifest.self_test is not None:
        try:
            check(artifact.manifest.self_test, detector.run)
        except (ArtifactError, InspectionError) as error:
            raise ArtifactError(f"{what} cannot be used: {error}") from None
    return detector


def _loaded_again(model: bytes, options: dict[str, Any]) -> Detector:
    """Unpickle a detector. It is verified as any other artifact."""
    return load(verified(model), **options)


def _reason(error: Exception) -> str:
    """The first line of ONNX Runtime's message."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
