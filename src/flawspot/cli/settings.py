"""The option ``--set NAME=VALUE`` of several commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from flawspot.errors import ConfigurationError

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="A hyperparameter of the method, such as bank_size=30000; repeatable."
    ),
]


def parse_settings(texts: Sequence[str] | None) -> dict[str, str]:
    """The values of the settings by name.

    Raises:
        ConfigurationError: a text is not NAME=VALUE, or a name is given twice with different values.
    """
    settings: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"--set takes NAME=VALUE, such as bank_size=30000, not {text!r}")
        if settings.setdefault(name.strip(), value.strip()) != value.strip():
            raise ConfigurationError(f"--set {name.strip()} is given twice with different values: leave one out")
    return settings
