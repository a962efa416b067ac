"""A process that trains a detector and reports its peak memory. Run by `flawspot.measuring.processes`.

One JSON object on standard input: the arguments of `flawspot.training.road.train`. One on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main() -> None:
    """Train, and print the result; a user's mistake is one line on standard error."""
    from flawspot.errors import FlawspotError
    from flawspot.extras import missing_package

    try:
        result = measure(json.load(sys.stdin))
    except FlawspotError as error:
        sys.exit(str(error))
    except ModuleNotFoundError as error:
        missing = missing_package(error, "training")
        if missing is None:
            raise
        sys.exit(str(missing))
    sys.stdout.write(json.dumps(result))


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """Train according to `order`. Nothing is written."""
    from flawspot.measuring.peak_memory import peak_resident_bytes
    from flawspot.training.road import train

    before = peak_resident_bytes()
    begin = time.perf_counter()
    artifact = train(**order, progress=False)
    return {
        "seconds": time.perf_counter() - begin,
        "images": artifact.manifest.training.images,
        "peak_bytes": peak_resident_bytes(),
        "peak_bytes_before": before,
    }


if __name__ == "__main__":
    main()
