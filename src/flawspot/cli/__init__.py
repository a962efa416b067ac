"""The command line: parses, calls, prints. Every command's work is done elsewhere in the package.

Exit codes: 0 done; 1 an error, told in one line; 2 wrong usage; 3 done, but some photographs were not inspected; 4
anomalies found (`predict --fail-on-anomaly`) or parts changed (`drift --fail-on-drift`); 130 interrupted by Ctrl-C; 143
ended by SIGTERM.
"""

from __future__ import annotations

import sys

UNREADABLE_IMAGES = 3
ANOMALIES_FOUND = 4


def main() -> None:
    """The entry point of ``flawspot``."""
    from flawspot.cli.interruption import Interruption

    # Installed before the slow imports begin.
    interruption = Interruption()
    try:
        interruption.install()
        from flawspot.cli.running import run

        code = run(interruption)
        interruption.finish()
    except BaseException as error:
        # An interruption in the middle of an import may come out as any other exception.
        if interruption.number is None and not isinstance(error, KeyboardInterrupt):
            raise
        code = interruption.tell()
        interruption.finish()
    sys.exit(code)
