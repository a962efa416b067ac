"""The tools of the documentation are no package: what tests import of them lies beside it."""

import sys
from pathlib import Path

TOOLS = Path(__file__).parents[2] / "docs" / "tools"
sys.path[:0] = [str(TOOLS), str(TOOLS / "site")]
