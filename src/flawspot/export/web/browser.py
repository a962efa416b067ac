"""Finds a browser and runs it without a window."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from flawspot.errors import ExportError

BROWSER = "FLAWSPOT_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "chrome", "msedge")
"""Browsers to look for, in this order, if FLAWSPOT_BROWSER names none."""
_IN_PROGRAMS = ("Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe")
_ON_A_MAC = tuple(
    f"/Applications/{name}.app/Contents/MacOS/{name}" for name in ("Chromium", "Google Chrome", "Microsoft Edge")
)
_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--metrics-recording-only",
    "--disable-features=NetworkTimeServiceQuerying,OptimizationHints,MediaRouter,DialMediaRouteProvider",
    "--proxy-server=http://127.0.0.1:9",  # a closed port, because a browser contacts its maker by itself
    "--password-store=basic",
    "--use-mock-keychain",
)
_PATIENCE = 10
"""Seconds that it has to end."""


def find_browser() -> list[str] | None:
    """The command for a browser of Chromium's family: FLAWSPOT_BROWSER, or a usual one, or None.

    Raises:
        ExportError: FLAWSPOT_BROWSER names a program that does not exist.
    """
    told = os.environ.get(BROWSER, "").strip()
    if told:
        try:
            given = [told] if Path(told).is_file() else shlex.split(told)
        except ValueError as error:
            raise ExportError(
                f"{BROWSER} is not a command ({error}): set it to Chromium, Chrome or Edge, or unset it"
            ) from None
        path = shutil.which(given[0])
        if path is None:
            raise ExportError(f"{BROWSER} names {given[0]}, which is not there: set it to Chromium, Chrome or Edge")
        return [path, *given[1:]]
    found = [path for path in map(shutil.which, NAMES) if path is not None]
    if sys.platform == "darwin":
        found += filter(os.path.exists, _ON_A_MAC)
    if sys.platform == "win32":
        folders = [os.environ.get(name) for name in ("ProgramFiles", "ProgramFiles(x86)", "LOCALAPPDATA")]
        places = [Path(folder) / place for folder in folders if folder for place in _IN_PROGRAMS]
        found += [str(place) for place in places if place.is_file()]
    return [found[0]] if found else None


@contextlib.contextmanager
def opened(command: Sequence[str], address: str, flags: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Open a page, with a profile of its own that is removed afterwards.

    Args:
        command: as of `find_browser`.
        address: of the page.
        flags: more of them.

    Raises:
        ExportError: it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="flawspot-", ignore_cleanup_errors=True) as profile:
        environment, more = dict(os.environ), [f"--user-data-dir={profile}", *flags]
        if sys.platform == "linux":
            environment["HOME"] = profile  # where it would leave a folder of certificates
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            more.append("--no-sandbox")  # root has none
        try:
            process = subprocess.Popen(
                [*command, *_FLAGS, *more, address],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise ExportError(f"{command[0]} cannot be run: {error.strerror or error}") from None
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and all processes that it has started."""
    for kill in (False, True):
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                process.kill() if kill else process.terminate()
            else:
                os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
