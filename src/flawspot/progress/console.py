"""Consoles of rich that print strings as plain text, never as markup."""

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
    """Prints every string, also in tables, as converted by `flawspot.texts.visible`: no name can control the terminal.

    Line breaks come from the caller: one `print` for each line. Styled texts are made by `styled`.
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
        """See `Console`. Markup and emoji codes are not interpreted."""
        return Text(visible(text), style=style, justify=justify, overflow=overflow)

    def on_broken_pipe(self) -> NoReturn:
        """Let the command's runner handle a closed pipe. rich would end the process."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class ErrorConsole(PlainConsole):
    """Standard error. If it is full or closed, the work still continues."""

    def print(self, *objects: Any, **options: Any) -> None:
        """See `Console`."""
        with contextlib.suppress(OSError, ValueError):
            super().print(*objects, **options)


def styled(text: str, style: str) -> Text:
    """A text with a style of rich's, such as ``bold red``."""
    return Text(visible(text), style)
