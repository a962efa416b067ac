"""``--to web``: a folder for any static server, with a page that inspects photographs in a browser."""

from __future__ import annotations

import dataclasses
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.errors import ConfigurationError, ExportError
from flawspot.export.gate import Bounds, Maps, Translation
from flawspot.export.source import Source
from flawspot.export.target import Target, Written
from flawspot.export.web.browser import BROWSER, find_browser, opened
from flawspot.export.web.runtime import FILES, VERSION, Runtime, fetched, given
from flawspot.export.web.site import Site, serving
from flawspot.progress import SILENT, Progress
from flawspot.runtime.self_test import probe
from flawspot.texts import visible

SCHEMA = 1
"""Schema of detector.json, increased when an older page would misunderstand it."""
INDEX = "index.html"
PAGE = ("LICENSES.txt", "style.css", "page.js", "detector.js", "photograph.js", "worker.js", INDEX)
"""The page's own files."""
MADE = ("detector.onnx", "detector.json", "probe.png")
_MARK = b'<meta name="generator" content="flawspot">'
_GATE = ("gate.html", "gate.js")
_PATIENCE = 300
"""Seconds that a browser has for one picture."""


@dataclass(frozen=True)
class WebTarget:
    """See `flawspot.export.target.Target`.

    Attributes:
        runtime: onnxruntime-web; None to fetch it when needed.
        progress: told of the fetching, and of unusual things.
    """

    runtime: Runtime | None = None
    progress: Progress = SILENT

    name = "web"
    about = "a folder for any static server, in which a browser inspects photographs"
    from_form = False
    own_integers = True
    bounds = Bounds()
    missing = (
        "there is no browser of Chromium's family here to compare the page with the artifact: install one, name it "
        f"with {BROWSER}, or say --unverified"
    )

    def with_runtime(self, path: Path | None, progress: Progress) -> Target:
        """The same target with onnxruntime-web.

        Args:
            path: a tarball or folder of it; None for the version that flawspot is tested with, cached or fetched.
            progress: told of the fetching.

        Raises:
            ExportError: it is not available.
        """
        runtime = fetched(progress) if path is None else given(path)
        if not runtime.known:
            progress.note(
                f"{visible(runtime.told)} is not that of onnxruntime-web {VERSION}, which flawspot is tested with"
            )
        return dataclasses.replace(self, runtime=runtime, progress=progress)

    def check_path(self, path: Path) -> tuple[Path, ...]:
        if path.name in ("", "..") or path.suffix == ".onnx":
            raise ConfigurationError(f"cannot write the page to {path}: give a folder of its own, such as page")
        try:
            if path.exists() and not path.is_dir():
                raise ConfigurationError(f"cannot write the page to {path}: it is not a folder; name a new one")
            if path.is_dir() and any(path.iterdir()) and _MARK not in _beginning(path / INDEX):
                raise ConfigurationError(
                    f"cannot write the page to {path}: it holds other files; name a new folder, or an earlier page"
                )
        except OSError as error:
            raise ConfigurationError(f"cannot look into {path}: {error.strerror or error}; name a new folder") from None
        # The page itself is last: an unfinished folder then has none, or an older one that does not fit its files.
        return tuple(path / name for name in (*FILES, *MADE, *PAGE))

    def write(self, source: Source, path: Path) -> Written:
        runtime = self.runtime or fetched(self.progress)
        model = source.artifact.model
        if source.artifact.manifest.precision == "int8":
            self.progress.note("int8 is slower than float32 in browsers, which have no fast kernels for it")
        contents = {
            **runtime.files,
            "detector.onnx": model,
            "detector.json": json.dumps(_setup(source), indent=1, allow_nan=False).encode(),
            "probe.png": _png(probe()),
            **{name: page_file(name) for name in PAGE},
        }
        written = {each: contents[each.name] for each in self.check_path(path)}
        own = sum(len(contents[name]) for name in (*PAGE, "detector.json", "probe.png"))
        sizes = {"detector": len(model), "onnxruntime-web": sum(map(len, runtime.files.values())), "page": own}
        return Written(written, sizes)

    def runs_here(self) -> str | None:
        browser = find_browser()
        return None if browser is None else " ".join(browser)

    def at_work(self, source: Source, written: Written) -> AbstractContextManager[Translation]:
        browser = find_browser()
        if browser is None:
            raise ExportError(self.missing)
        contents = {path.name: data for path, data in written.files.items()}
        return in_browser(browser, contents, source.facts.input_size)

    def measured(self, source: Source, written: Written) -> Written:
        return written


class InBrowser:
    """A running page, made by `in_browser`."""

    def __init__(self, site: Site, process: Any, input_size: int) -> None:
        self._site, self._process, self._size = site, process, input_size

    def run(self, photographs: NDArray[np.uint8]) -> Maps:
        """(N, H, W, 3) -> maps (N, S, S), scores (N,): each picture is decoded, inspected and read as on the page.

        Raises:
            ExportError: the browser does not start or answer, or a photograph is not inspected.
        """
        rows = np.stack([self._answer(picture) for picture in photographs])
        return rows[:, 1:].reshape(-1, self._size, self._size).copy(), rows[:, 0].copy()

    def trace(self, photograph: NDArray[np.uint8], expected: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Nothing, because a layer's results cannot be read in a browser."""
        return iter(())

    def _answer(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._site.give(_png(picture))
        found = self._site.posted(_PATIENCE, lambda: self._process.poll() is not None)
        if found is None:
            raise ExportError(
                f"the browser does not answer: check that it starts, name another with {BROWSER}, or say --unverified"
            )
        name, data = found
        if name != "found":
            told = visible(data.decode(errors="replace"))[:300]
            raise ExportError(f"the page does not inspect a picture in the browser ({told}): nothing was written")
        if len(data) != 4 * (1 + self._size**2):
            raise ExportError(f"the page has answered {len(data)} bytes, which is the wrong number")
        return np.frombuffer(data, "<f4").astype(np.float32)


@contextmanager
def in_browser(command: Sequence[str], contents: dict[str, bytes], input_size: int) -> Iterator[InBrowser]:
    """Serve the files to a browser without a window, and let it inspect."""
    gate = {name: page_file(name) for name in _GATE}
    with serving({**contents, **gate}) as site, opened(command, f"{site.address}{_GATE[0]}") as process:
        yield InBrowser(site, process, input_size)


def page_file(name: str) -> bytes:
    """One of the page's own files in `PAGE`."""
    return files("flawspot.export.web").joinpath(name).read_bytes()


def _setup(source: Source) -> dict[str, Any]:
    manifest, facts = source.artifact.manifest, source.facts
    own = manifest.calibration.pixel_threshold
    return {
        "schema": SCHEMA,
        "product": visible(facts.product),
        "title": visible(facts.title),
        "input_size": facts.input_size,
        "threshold": facts.threshold,
        "region_threshold": facts.threshold if own is None else own,
        "white": manifest.white,
        "self_test": None if manifest.self_test is None else dataclasses.asdict(manifest.self_test),
        "flawspot": facts.version,
        "graph_sha256": facts.sha256,
        "crc32": zlib.crc32(source.artifact.model),
    }


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _beginning(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(300)
