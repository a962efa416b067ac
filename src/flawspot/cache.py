"""The one folder that flawspot keeps things in beyond what it is told to write."""

from __future__ import annotations

import os
from pathlib import Path

CACHE = "FLAWSPOT_CACHE"


def cache_root() -> Path:
    """The folder that FLAWSPOT_CACHE names, else where the platform caches. It need not exist.

    Raises:
        ModuleNotFoundError: no folder is named, and platformdirs is not installed.
    """
    named = os.environ.get(CACHE)
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_cache_path("flawspot", appauthor=False)


def keep_torch_in_cache() -> None:
    """Torch makes a folder for its compiler wherever it needs parts of it, as the exporter does: name one in ours.

    A folder that is named already stays, and torch itself sets this variable too.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_root() / "torch"))
