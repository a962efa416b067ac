"""Features of a set of photographs, computed once by the compiled backbone and kept for every method, seed and split.

A backbone is frozen, so its features of a photograph never change: the teacher's taps, the prefix that PaSTe shares,
the patches of the memory banks. They are stored channels-last, (M, H, W, C), which suits convolutions on a CPU and
patches by position. They are returned as views of shape (M, C, H, W).
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from flawspot.backbones.block_list import INPUT, BlockList
from flawspot.errors import ConfigurationError, FlawspotError, TrainingError
from flawspot.files import check_writable, replacing
from flawspot.progress import SILENT, Progress
from flawspot.quantization.writing import in_integers
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.session import open_session
from flawspot.training.feature_source import FeatureSource
from flawspot.training.graph import FeatureGraph, Preprocess, to_onnx
from flawspot.training.tiles import tiles_at_once

DTYPES = ("float32", "float16")
Maps = dict[int, NDArray[np.floating]]
MOST_AT_ONCE = 8
"""Tiles that go through the backbone together: 8 of 224 x 224 pixels take about 100 MB."""
MOST_PARTS = 6
"""Most copies of the backbone in the graph, because each takes seconds to write."""
DEFAULT_MEMORY = 1 << 30
"""Bytes of features held in memory, 1 GiB: STFPM's of 1,200 photographs of 224 x 224 pixels on MobileNetV2."""


class FeatureCache:
    """A store for features. Use it in a ``with`` block or close it.

        >>> with flawspot.FeatureCache("features") as cache:
        ...     for seed in (0, 1):
        ...         options = {"method": "padim", "input_size": 64, "random_weights": True, "progress": False}
        ...         artifact = flawspot.train("photos", cache=cache, seed=seed, **options)

    Without a folder, features are held in memory up to a budget. Beyond it they go to nameless temporary files, which
    vanish with the process in any case; TMPDIR selects their disk. With a folder, every layer is an .npy file there.
    Any number of processes can map it into memory, and it is kept for the next run. The operating system holds in
    memory what fits. Files appear whole or not at all, are checked for type and size when opened, and are never
    unpickled. If two processes need the same features at once, both compute them, and the last result is kept.

    The last bits of a feature depend on the layers that were computed with it. So the same seed gives the same bits
    from the same cache, and nearly the same from another.

    Attributes:
        folder: folder of the files; None keeps nothing beyond this object.
        memory: most bytes held in memory without a folder.
        dtype: ``float32``, or ``float16`` for half the size, rounded to 11 significant bits.
        shared: whether other runs will need features of the same photographs. Then `flawspot.train` computes those of
            every good photograph, including held-out ones, because another seed splits them in another way.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        memory: int = DEFAULT_MEMORY,
        dtype: str = "float32",
        shared: bool = True,
    ) -> None:
        """Raises ConfigurationError for another type or a negative budget, and FlawspotError for a folder without
        permission to write."""
        if dtype not in DTYPES:
            raise ConfigurationError(f"features are kept as {' or '.join(DTYPES)}, not {dtype!r}")
        if memory < 0:
            raise ConfigurationError(f"the memory for features must be at least 0 bytes, not {memory}")
        self.folder = None if folder is None else Path(folder)
        if self.folder is not None:
            check_writable(self.folder / "features.npy")
            self.folder.mkdir(parents=True, exist_ok=True)
        self.memory, self.dtype, self.shared = memory, dtype, shared
        self._held: dict[str, NDArray[np.floating]] = {}
        self._in_memory = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release all features. Files in a folder stay, and so do features that are still in use."""
        self._held.clear()
        self._in_memory = 0

    def __len__(self) -> int:
        """Number of open layers, of any photographs."""
        return len(self._held)

    def maps(self, source: FeatureSource, network: BlockList, *, progress: Progress = SILENT) -> Maps:
        """The outputs of every tap of `network` for all photographs. Missing ones are computed in one pass.

        Args:
            source: the photographs, and their processing.
            network: the frozen backbone with the weights that `source` names.
            progress: reports the photographs.

        Returns:
            {tap: (M * T, C, H, W)} of type `dtype`, channels-last in memory and read-only.

        Raises:
            FlawspotError: features cannot be stored; says why.
            ImageError: a photograph cannot be read any more.
            TrainingError: a feature is too large for float16.
        """
        keys = {layer: source.key(network.name, layer, self.dtype) for layer in network.taps}
        missing = [layer for layer in network.taps if keys[layer] not in self._held]
        with progress.step("looking at the layers"):
            shapes = _shapes(network, len(source.images) * source.view.tiles, source.view.size) if missing else {}
        if self.folder is None:
            made = self._compute(source, network, missing, shapes, {}, progress) if missing else {}
        else:
            made = self._in_files(source, network, {layer: keys[layer] for layer in missing}, shapes, progress)
        self._held.update((keys[layer], array) for layer, array in made.items())
        return {layer: np.moveaxis(self._held[key], 3, 1) for layer, key in keys.items()}

    def _in_files(
        self,
        source: FeatureSource,
        network: BlockList,
        keys: Mapping[int, str],
        shapes: Mapping[int, tuple[int, ...]],
        progress: Progress,
    ) -> Maps:
        """Map the files of some layers into memory. Missing files are created first."""
        assert self.folder is not None
        paths = {layer: self.folder / f"{network.name}-{_output_name(layer)}-{key}.npy" for layer, key in keys.items()}

        def find() -> Maps:
            opened = {layer: _open(path, shapes[layer], self.dtype) for layer, path in paths.items()}
            return {layer: array for layer, array in opened.items() if array is not None}

        found = find()
        missing = [layer for layer in paths if layer not in found]
        if not missing:
            return found
        failure: FlawspotError | None = None
        try:
            self._compute(source, network, missing, shapes, paths, progress)
        except FlawspotError as error:
            # Windows refuses to replace a file that another process has just written and reads. Then that one is used.
            failure = error
        found = find()
        if len(found) < len(paths):
            raise failure or FlawspotError(f"features written to {self.folder} are gone again: choose another place")
        return found

    def _compute(
        self,
        source: FeatureSource,
        network: BlockList,
        layers: Sequence[int],
        shapes: Mapping[int, tuple[int, ...]],
        paths: Mapping[int, Path],
        progress: Progress,
    ) -> Maps:
        """Run the compiled backbone once over the photographs. Returns the features that are not written to `paths`."""
        trimmed = BlockList(network.name, network.blocks, layers).frozen()
        names = [_output_name(layer) for layer in layers]
        view = source.view
        preprocess = Preprocess(view, source.mean, source.std)
        with progress.step("compiling the backbone"):
            few = tiles_at_once(view.tiles, MOST_AT_ONCE, MOST_PARTS)
            at_once = few if source.quantization is None else view.tiles
            graph = to_onnx(FeatureGraph(preprocess, trimmed, at_once), names)
            session = open_session(graph if source.quantization is None else in_integers(graph, source.quantization))
        made: Maps = {}
        put: dict[int, Callable[[int, NDArray[np.floating]], object]] = {}
        spilled: dict[int, IO[bytes]] = {}
        in_memory = self._in_memory
        with contextlib.ExitStack() as stack:
            for layer in layers:
                size = math.prod(shapes[layer]) * np.dtype(self.dtype).itemsize
                if layer in paths:
                    temporary = stack.enter_context(replacing(paths[layer]))
                    file: IO[bytes] = stack.enter_context(temporary.open("wb"))
                    header = {"descr": np.dtype(self.dtype).str, "fortran_order": False, "shape": shapes[layer]}
                    np.lib.format.write_array_header_1_0(file, header)
                    put[layer] = _appending(file)
                elif in_memory + size <= self.memory:
                    in_memory += size
                    made[layer] = np.empty(shapes[layer], self.dtype)
                    put[layer] = made[layer].__setitem__
                else:
                    stack.enter_context(_telling_of_temporary_files())
                    spilled[layer] = stack.enter_context(tempfile.TemporaryFile(prefix="flawspot-"))
                    put[layer] = _appending(spilled[layer])
            count = len(source.images)
            photographs = progress.track(prefetch(range(count), source.read), "computing features", count)
            for row, (_, photograph) in enumerate(photographs):
                if isinstance(photograph, Exception):
                    raise photograph
                outputs = session.run(names, {"image": photograph.pixels[None]})
                for layer, output in zip(layers, outputs, strict=True):
                    for tile, feature in enumerate(output):
                        put[layer](row * view.tiles + tile, self._converted(feature, layer))
            for layer, file in spilled.items():
                file.flush()
                # A mapping outlives the name of its file. Without a name, the file ends with the process.
                made[layer] = np.memmap(file, self.dtype, "r", shape=shapes[layer])
        self._in_memory = in_memory
        return made

    def _converted(self, feature: NDArray[np.float32], layer: int) -> NDArray[np.floating]:
        """(C, H, W) -> (H, W, C) of the stored type."""
        with np.errstate(over="ignore"):
            converted = np.ascontiguousarray(feature.transpose(1, 2, 0), self.dtype)
        if self.dtype == "float16" and not np.isfinite(converted).all():
            raise TrainingError(f"features of layer {layer} are too large for float16: keep them as float32")
        return converted


def _output_name(layer: int) -> str:
    return "input" if layer == INPUT else f"layer_{layer}"


def _shapes(network: BlockList, count: int, size: tuple[int, int]) -> dict[int, tuple[int, ...]]:
    """(M, H, W, C) of each tap."""
    return {tap: (count, height, width, channels) for tap, (channels, height, width) in network.shapes(size).items()}


def _appending(file: IO[bytes]) -> Callable[[int, NDArray[np.floating]], object]:
    # Written, not mapped: with a full disk, writing is an error, but a mapping would end the process.
    return lambda row, feature: file.write(feature.data)


@contextlib.contextmanager
def _telling_of_temporary_files() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FlawspotError(
            f"cannot write features to {tempfile.gettempdir()}: {error.strerror or error}. "
            "Free some space, name another folder in TMPDIR, or allow more memory for them"
        ) from error


def _open(path: Path, shape: tuple[int, ...], dtype: str) -> NDArray[np.floating] | None:
    """Map an .npy file into memory; None if there is no complete file of this shape and type."""
    try:
        # This reads no pickles, and refuses types that would need them.
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError):
        return None
    fits = array.shape == shape and array.dtype == np.dtype(dtype) and array.flags.c_contiguous
    return array if fits else None
