"""Consoles of rich to which a string is a text and never markup."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from typing import Any, NoReturn

from rich.console import Console, JustifyMethod, OverflowMethod
from rich.style import Style
from rich.text import Text

from flawspot.texts import visible


class PlainConsole(Console):
    """Prints every string, those in tables too, as `flawspot.texts.visible` gives it: no name can drive the terminal.

    Line breaks are the caller's: one `print` for each line. What has a style is made by `styled`.
    """

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        emoji: bool | None = None,
        markup: bool | None = None,
        highlight: bool | None = None,
        highlighter: Callable[[str | Text], Text] | None = None,
    ) -> Text:
        """See `Console`; neither markup nor emoji codes are obeyed."""
        return Text(visible(text), style=style, justify=justify, overflow=overflow)

    def on_broken_pipe(self) -> NoReturn:
        """Leave the end to whoever runs the command, where rich would end the process."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class ErrorConsole(PlainConsole):
    """Standard error: that it is full or closed is no reason to end the work."""

    def print(self, *objects: Any, **options: Any) -> None:
        """See `Console`."""
        with contextlib.suppress(OSError, ValueError):
            super().print(*objects, **options)


def styled(text: str, style: str) -> Text:
    """A text with a style of rich's, such as ``bold red``."""
    return Text(visible(text), style)
