"""onnxruntime-web, which runs the detector in a browser. It is given, or fetched once on request."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from flawspot.backbones.weight_sources import SourceError, Url
from flawspot.cache import CACHE, cache_root
from flawspot.errors import ExportError, FlawspotError
from flawspot.files import is_folder, replacing, special_kind
from flawspot.progress import SILENT, Progress

VERSION = "1.30.0"
SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
TARBALL = f"onnxruntime-web-{VERSION}.tgz"
PUBLIC = f"https://registry.npmjs.org/onnxruntime-web/-/{TARBALL}"
FILES = {"ort.js": "ort.wasm.bundle.min.mjs", "ort.wasm": "ort-wasm-simd-threaded.wasm"}
"""File names in an exported folder, whose types every server knows, and in the package. WebGPU is not used."""
SHA256 = {
    "ort.js": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""Of these files of `VERSION`."""
MOST_FETCHED, MOST_UNPACKED, MOST_FILE = 1 << 26, 1 << 28, 1 << 26
"""Size limits in bytes: of the tarball, of its contents, and of a file that is used."""
_TIMEOUT_SECONDS = 600
_FOLDERS = (".", "dist", "package/dist", "node_modules/onnxruntime-web/dist")
"""Folders in which the files may be, within a given folder."""


@dataclass(frozen=True)
class Runtime:
    """The needed files of onnxruntime-web.

    Attributes:
        files: by name in an exported folder.
        told: its version, in words.
        known: whether it is the version that flawspot is tested with.
    """

    files: dict[str, bytes]
    told: str
    known: bool


@dataclass(frozen=True)
class Npm:
    """The package, fetched by npm with the user's own configuration. None of it is run or installed."""

    requirement: str

    def fetch(self, target: Path, max_bytes: int, progress: Progress = SILENT) -> None:
        """Write the tarball to `target`.

        Raises:
            SourceError: npm is missing, or downloads no tarball.
        """
        npm = shutil.which("npm")
        if npm is None:
            raise SourceError("there is no npm")
        with tempfile.TemporaryDirectory(prefix="flawspot-") as name, progress.step(f"fetching {self}"):
            command = [npm, "pack", self.requirement, "--pack-destination", name, "--ignore-scripts", "--silent"]
            command += ["--cache", str(Path(name) / "cache"), "--logs-max=0", "--no-update-notifier"]
            command += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
            try:
                done = subprocess.run(
                    command,
                    cwd=name,
                    capture_output=True,
                    timeout=_TIMEOUT_SECONDS,
                    check=False,
                    stdin=subprocess.DEVNULL,
                )
            except subprocess.TimeoutExpired:
                raise SourceError(f"npm took longer than {_TIMEOUT_SECONDS} seconds") from None
            except OSError as error:
                raise SourceError(f"npm cannot be run: {error.strerror or error}") from None
            found = sorted(Path(name).glob("*.tgz"))
            if done.returncode != 0 or len(found) != 1:
                raise SourceError(f"npm failed with {done.returncode}: run `npm pack {self.requirement}` to see why")
            if found[0].stat().st_size > max_bytes:
                raise SourceError(f"npm's download is above the limit of {max_bytes:,} bytes")
            shutil.copyfile(found[0], target)

    def __str__(self) -> str:
        return f"{self.requirement} with npm"


SOURCES: tuple[Npm | Url, ...] = (Npm(f"onnxruntime-web@{VERSION}"), Url(PUBLIC))
"""Tried in order."""


def fetched(progress: Progress = SILENT) -> Runtime:
    """The version that flawspot is tested with, from flawspot's cache. It is fetched if missing.

    Raises:
        ExportError: no source has it; the message says what to do.
        FlawspotError: the cache cannot be written.
    """
    path = _cached()
    data = _known(path)
    if data is None:
        failures = []
        for source in SOURCES:
            progress.note(f"fetching onnxruntime-web {VERSION} (33 MB, once): {source}")
            try:
                with replacing(path) as temporary:
                    source.fetch(temporary, MOST_FETCHED, progress)
                    data = temporary.read_bytes()
                    if hashlib.sha512(data).hexdigest() != SHA512:
                        data = None
                        raise SourceError(f"its sha512 is not that of onnxruntime-web {VERSION}; not kept")
                break
            except SourceError as error:
                failures.append(f"{source}: {error}")
        else:
            raise ExportError(
                f"onnxruntime-web {VERSION} cannot be fetched ({'; '.join(failures)}): fetch {TARBALL} elsewhere, with "
                f"`npm pack onnxruntime-web@{VERSION}`, and name it with --runtime"
            )
    assert data is not None
    return _runtime(unpacked(data, TARBALL), f"onnxruntime-web {VERSION}")


def given(path: Path) -> Runtime:
    """A tarball from npm, or a folder that holds onnxruntime-web or an exported page.

    Raises:
        ExportError: it is neither, or lacks a needed file.
    """
    if is_folder(path):
        return _runtime(_from_folder(path), f"the runtime of {path}")
    return _runtime(unpacked(_read(path, MOST_FETCHED), str(path)), f"the runtime of {path}")


def unpacked(data: bytes, name: str) -> dict[str, bytes]:
    """The needed files of an untrusted tarball, by their names in an exported folder. Nothing is written.

    Args:
        data: the bytes of the tarball.
        name: its name, for messages.

    Raises:
        ExportError: it is damaged, too large, or lacks a needed file.
    """
    wanted = {f"package/dist/{member}": name for name, member in FILES.items()}
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=_Bounded(gzip.GzipFile(fileobj=io.BytesIO(data))), mode="r|") as archive:
            for member in archive:
                if member.name not in wanted:
                    continue
                file = archive.extractfile(member) if member.isreg() else None
                if file is None or wanted[member.name] in found or not 0 < member.size <= MOST_FILE:
                    raise ExportError(
                        f"{name} has {member.name} twice, or not as a file of ordinary size: fetch it again"
                    )
                found[wanted[member.name]] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise ExportError(f"{name} is not a tarball of onnxruntime-web, or damaged ({error}): fetch again") from None
    lacking = [member for member, file in wanted.items() if file not in found]
    if lacking:
        raise ExportError(f"{name} has no {lacking[0]}: give a tarball of onnxruntime-web, such as {TARBALL}")
    return found


class _Bounded(io.RawIOBase):
    """Reads at most `MOST_UNPACKED` bytes, as a small file can unpack to far more."""

    def __init__(self, source: gzip.GzipFile) -> None:
        self._source, self._left = source, MOST_UNPACKED

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(min(size if size >= 0 else self._left + 1, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it holds more than {MOST_UNPACKED:,} bytes")
        return data


def _from_folder(folder: Path) -> dict[str, bytes]:
    for below in _FOLDERS:
        for names in (dict(zip(FILES, FILES, strict=True)), FILES):
            places = {name: folder / below / there for name, there in names.items()}
            if all(place.is_file() for place in places.values()):
                return {name: _read(place, MOST_FILE) for name, place in places.items()}
    raise ExportError(
        f"{folder} holds no onnxruntime-web: {' and '.join(FILES.values())} are needed, as in its package's dist"
    )


def _read(path: Path, most: int) -> bytes:
    try:
        kind = special_kind(path)
        if kind is not None or path.stat().st_size > most:
            raise ExportError(f"{path} is {kind or f'larger than {most:,} bytes'}: give a tarball of onnxruntime-web")
        return path.read_bytes()
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror or error}") from None


def _cached() -> Path:
    try:
        return cache_root() / "runtimes" / TARBALL
    except ModuleNotFoundError:
        raise FlawspotError(
            f"there is no folder to keep onnxruntime-web in: name one with {CACHE}, or give it with --runtime"
        ) from None


def _known(path: Path) -> bytes | None:
    """The files in the cache, if they are the expected ones."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if hashlib.sha512(data).hexdigest() == SHA512 else None


def _runtime(files: dict[str, bytes], told: str) -> Runtime:
    known = all(hashlib.sha256(files[name]).hexdigest() == SHA256[name] for name in FILES)
    return Runtime(files, told, known)
