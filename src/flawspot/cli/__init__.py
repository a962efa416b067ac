"""The command line: parses, calls, prints. Every command's work is done elsewhere in the package.

Exit codes: 0 done; 1 an error, told in one line; 2 wrong usage; 3 done, but some photographs were not inspected; 4
anomalies found (`predict --fail-on-anomaly`); 130 interrupted.
"""

from __future__ import annotations

import os
import sys

UNREADABLE_IMAGES = 3
ANOMALIES_FOUND = 4
INTERRUPTED = 130


def main() -> None:
    """The entry point of ``flawspot``."""
    from flawspot.cli.commands import app
    from flawspot.cli.console import fail
    from flawspot.errors import FlawspotError
    from flawspot.extras import missing_package

    # File names that the terminal's encoding cannot show must not end a long run.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except FlawspotError as error:
        fail(str(error))
    except ModuleNotFoundError as error:
        missing = missing_package(error, "this command")
        if missing is None:
            raise
        fail(str(missing))
    except KeyboardInterrupt:
        fail("interrupted; nothing half-written was left", INTERRUPTED)
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough. Python would complain once more while closing the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
