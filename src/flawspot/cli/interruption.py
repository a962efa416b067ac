"""Ctrl-C and SIGTERM end a command cleanly, with one line and never a traceback. Nothing heavy is imported here."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

IMPATIENT_SECONDS = 1.0
"""A second signal within this time counts as the first one: a shell and a supervisor may both send it."""
_AGAIN_SECONDS = 0.05
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_IMPORTS = "<frozen importlib._bootstrap>"
_COMMANDS = os.path.dirname(__file__)  # noqa: PTH120  # pathlib would be the largest import here


class Interrupted(KeyboardInterrupt):
    """An interruption by a signal. Its argument is the number of the signal.

    It is a subclass because Python may end by SIGINT after a plain KeyboardInterrupt, even if that was caught.
    """


def exit_code_of(error: KeyboardInterrupt) -> int:
    """The exit code of a command that is ended by a signal."""
    return _exit_code(error.args[0] if isinstance(error, Interrupted) else signal.SIGINT)


def _exit_code(number: int) -> int:
    return 128 + number


class Interruption:
    """The handler of Ctrl-C and SIGTERM in this process.

    The first signal raises KeyboardInterrupt in the main thread, so that every ``finally`` cleans up. A second signal
    during the cleaning up ends the process at once. While a command still imports its own modules, the first signal
    ends the process too, as there is nothing to clean up. Later imports are waited for, because an exception inside
    compiled code may crash the process.

    Attributes:
        number: number of the first signal; None before it.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._noted = 0.0
        self._asked_again = False
        self._over = False

    def install(self) -> None:
        """Handle the signals from now on. Signals that the parent process has set to be ignored stay ignored."""
        for number in _WORDS:
            with contextlib.suppress(ValueError):  # not in the main thread
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, self._note)
        # Registered first and so called last, when nothing can hang any more. Python removes our handlers next, and a
        # signal during its shutdown would change the exit code of a process that has finished its work.
        atexit.register(_ignore)
        self._hush()

    def finish(self) -> None:
        """Note that the work is done and reported: a signal from now on finds nothing to clean up."""
        self._over = True

    def tell(self) -> int:
        """Print one line saying that the work was ended, and return the exit code."""
        words = f"{self._word}; nothing half-written was left"
        console = sys.modules.get("flawspot.cli.console")
        tell = getattr(console, "tell", None)  # if the console is not imported yet, a plain line is printed
        if tell is not None:
            tell(words)
        elif sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"error: {words}\n")
        return self._code

    @property
    def _word(self) -> str:
        return _WORDS[signal.Signals(self._number)]

    @property
    def _code(self) -> int:
        return _exit_code(self._number)

    @property
    def _number(self) -> int:
        return signal.SIGINT if self.number is None else self.number

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._noted = number, time.monotonic()
            self._answer(frame)
        elif self._asked_again:
            self._asked_again = False
            self._answer(frame)
        elif self._over or time.monotonic() - self._noted >= IMPATIENT_SECONDS:
            self._leave()

    def _answer(self, frame: FrameType | None) -> None:
        importer = _importer(frame)
        if self._over or (importer is not None and importer.f_code.co_filename.startswith(_COMMANDS)):
            self._leave()
        if importer is not None:
            self._ask_again()
            return
        raise Interrupted(self._number)

    def _leave(self) -> NoReturn:
        with contextlib.suppress(OSError):
            # A progress bar may have hidden the cursor.
            clear = "\r\x1b[K\x1b[?25h" if os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb" else ""
            os.write(2, f"{clear}error: {self._word}\n".encode())
        os._exit(self._code)

    def _hush(self) -> None:
        """Suppress the tracebacks that Python would print after an interruption."""
        excepthook, unraisablehook, thread_hook = sys.excepthook, sys.unraisablehook, threading.excepthook

        def exception(*arguments: Any) -> None:
            if self.number is None:
                excepthook(*arguments)

        def unraisable(problem: UnraisableHookArgs) -> None:
            if self.number is None:
                unraisablehook(problem)
            elif issubclass(problem.exc_type, KeyboardInterrupt):
                self._ask_again()

        def in_thread(arguments: threading.ExceptHookArgs) -> None:
            if self.number is None:
                thread_hook(arguments)

        sys.excepthook, sys.unraisablehook, threading.excepthook = exception, unraisable, in_thread

    def _ask_again(self) -> None:
        """Handle the signal a little later, because nothing can be raised here (as while an object is deleted)."""

        def again() -> None:
            self._asked_again = True
            main = threading.main_thread().ident
            if sys.platform != "win32" and main is not None:
                signal.pthread_kill(main, self._number)  # so that it wakes where it waits
            else:
                signal.raise_signal(self._number)

        timer = threading.Timer(_AGAIN_SECONDS, again)
        timer.daemon = True
        timer.start()


def _ignore() -> None:
    for number in _WORDS:
        with contextlib.suppress(ValueError):
            signal.signal(number, signal.SIG_IGN)


def _importer(frame: FrameType | None) -> FrameType | None:
    """The frame that started the outermost running import; None if no import is running."""
    found = None
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTS:
            found = frame.f_back
        frame = frame.f_back
    return found
