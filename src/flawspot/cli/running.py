"""Runs one command. Errors that the user can cure, and failures of the output, are printed as one line."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable

import typer

from flawspot.cli.commands import app
from flawspot.cli.console import err, note, tell
from flawspot.cli.interruption import Interruption
from flawspot.cli.streams import OutputError, ready
from flawspot.errors import FlawspotError, FlawspotWarning
from flawspot.extras import missing_package
from flawspot.progress.display import DISPLAY
from flawspot.spinning import bounded

NAME = "flawspot"
WRONG_USAGE = 2
_COMPLETION = "_FLAWSPOT_COMPLETE"
# Taken from Typer, which has bundled its own Click since 0.27.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]


def run(interruption: Interruption) -> int:
    """Run the command in `sys.argv`, flush what it has printed, and return the exit code.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    if not sys.warnoptions:  # warnings of libraries are not shown
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", FlawspotWarning)
        warnings.showwarning = lambda message, *_args, **_options: note(str(message))
    logging.getLogger().addHandler(logging.NullHandler())
    os.environ.update(bounded())
    with ready():
        code = _told(_invoke, interruption)
        return code or _told(_write_out, interruption)


def _invoke() -> int:
    """Call the command without Typer's own runner, which would handle interruptions and closed pipes before us."""
    if _COMPLETION in os.environ:
        app(prog_name=NAME)
    try:
        command = typer.main.get_command(app)
        with command.make_context(NAME, sys.argv[1:]) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except typer.Abort:
        return tell("aborted")
    except _USAGE_ERROR as error:
        return _tell_usage(error)
    return 0


def _tell_usage(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    # A group of commands that was given none has printed its help by now.
    if type(error).__name__ != "NoArgsIsHelpError":
        if context is not None:
            err.print(context.get_usage())
            err.print(f"Try `{context.command_path} --help`.")
        tell(str(getattr(error, "format_message", error.__str__)()))
    return WRONG_USAGE


def _write_out() -> int:
    sys.stdout.flush()
    return 0


def _told(step: Callable[[], int], interruption: Interruption) -> int:
    """The exit code of `step`, or of the error that it raised, which is then printed."""
    try:
        return step()
    except Exception as error:
        if interruption.number is not None:
            raise KeyboardInterrupt from error
        code = _tell(error)
        if code is None:
            raise
        return code


def _tell(error: Exception) -> int | None:
    """Print an error of the user or the machine, and return the exit code. None for a bug of ours."""
    if isinstance(error, FlawspotError):
        return tell(str(error))
    if isinstance(error, ModuleNotFoundError):
        missing = missing_package(error, "this command")
        return None if missing is None else tell(str(missing))
    if isinstance(error, MemoryError):
        return tell("out of memory: close other programs, or process less at a time")
    if isinstance(error, OutputError):
        DISPLAY.clear()
        return 0 if error.reader_is_gone else tell(str(error))
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return tell(f"{where}{error.strerror or error}")
    return None
