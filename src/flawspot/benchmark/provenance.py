"""What a run's result depends on beside its cell, and where it was measured."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from flawspot.benchmark.store import Store
from flawspot.data.layouts import DataSource

PACKAGES = ("flawspot", "torch", "onnx", "onnxruntime", "numpy", "pillow")
_WITHOUT_EFFECT = ("cli/", "serve/", "benchmark/")
_WITH_EFFECT = ("benchmark/one_run.py", "benchmark/variations.py")
"""Parts of the package that no figure depends on, and exceptions: a better report does not make all runs old."""


@functools.cache
def code_version() -> str:
    """The package's version, and a hash of those of its source files that figures depend on.

    The same on every operating system, whatever line ends a checkout has.
    """
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        counts = name in _WITH_EFFECT or not name.startswith(_WITHOUT_EFFECT)
        if path.suffix in (".py", ".json") and counts:
            digest.update(name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return f"{metadata.version('flawspot')}+{digest.hexdigest()[:16]}"


def machine() -> dict[str, Any]:
    """This machine, as `Record.machine` has it. Its name is only there as a hash, which tells machines apart."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "host_hash": hashlib.sha256(platform.node().encode()).hexdigest()[:12],
    }


def versions() -> dict[str, str]:
    """Of Python and the libraries."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def data_fingerprint(source: DataSource, category: str, store: Store) -> str:
    """`DataSource.fingerprint`; contents are only read where names, sizes or times of the files have changed.

    Raises:
        DataError: the data are not there.
    """
    if source.layout == "synthetic":
        return source.fingerprint(category)
    folder = source.open(category)
    paths = [*folder.train]
    for sample in folder.test:
        paths += [sample.path, *sample.masks]
    listing = hashlib.sha256(f"{source.layout}\0{folder.root.resolve()}\0".encode(errors="surrogateescape"))
    for path in paths:
        stat = path.stat()
        listing.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode(errors="surrogateescape"))
    known = store.fingerprint(listing.hexdigest())
    if known is None:
        known = source.fingerprint(category)
        store.remember_fingerprint(listing.hexdigest(), known)
    return known


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
