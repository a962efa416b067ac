"""Secrets are in files of their own, never in a setting, a message or a record."""

from __future__ import annotations

from pathlib import Path

from flawspot.errors import ConfigurationError

_LARGEST = 4096


def read_secret(path: Path) -> str:
    """The text in a file, without the line break at its end.

    Raises:
        ConfigurationError: the file cannot be read, is empty or too large, or is not UTF-8.
    """
    try:
        if not path.is_file():
            raise ConfigurationError(f"{path} is not a file: it should hold a secret")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        text = data.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigurationError(f"cannot read the secret in {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text: it should hold a secret") from error
    if not text or len(data) > _LARGEST:
        what = "empty" if not text else f"larger than {_LARGEST} bytes"
        raise ConfigurationError(f"{path} is {what}: it should hold a secret")
    return text


def read_login(path: Path) -> tuple[str, str]:
    """User and password: the first and the second line of a file.

    Raises:
        ConfigurationError: as for `read_secret`, or there are not two lines.
    """
    lines = read_secret(path).splitlines()
    if len(lines) != 2 or not all(lines):
        raise ConfigurationError(f"{path} should hold two lines: the user, and the password")
    return lines[0], lines[1]
