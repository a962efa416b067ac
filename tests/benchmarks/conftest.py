"""The benchmarks' scripts, which lie outside the package, can be imported here."""

import sys
from pathlib import Path

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
if BENCHMARKS not in sys.path:
    sys.path.append(BENCHMARKS)  # behind everything else, for some have names that others could have too
