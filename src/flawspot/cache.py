"""The one folder in which flawspot keeps files on its own."""

from __future__ import annotations

import os
from pathlib import Path

CACHE = "FLAWSPOT_CACHE"


def cache_root() -> Path:
    """The folder in FLAWSPOT_CACHE, else the platform's folder for caches. It need not exist.

    Raises:
        ModuleNotFoundError: no folder is given, and platformdirs is not installed.
    """
    named = os.environ.get(CACHE)
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_cache_path("flawspot", appauthor=False)


def keep_torch_in_cache() -> None:
    """Set a folder for torch's compiler within ours, as torch creates one whenever it needs parts of it, for example to
    export.

    A folder that is already set stays. Torch itself sets this variable too.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_root() / "torch"))
