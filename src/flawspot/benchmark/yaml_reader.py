"""Reads a YAML file of plain settings. Every error names the file, the line, the value and the cure.

Only the syntax tree is built (`yaml.compose` with the safe loader): tags are not followed and no objects are made. A
scalar stays the text that the user wrote until a number is asked for, so category ``01`` does not become 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from flawspot.errors import ConfigurationError
from flawspot.files import special_kind
from flawspot.runtime.manifest import Scalar
from flawspot.texts import counted_digits, shortened

MAX_BYTES = 1 << 16
"""Largest file. PyYAML takes a second for it."""
_LARGEST = 2**31 - 1
"""Largest whole number if there is no other bound."""


@dataclass(frozen=True)
class Entry:
    """A place in the file.

    Attributes:
        file: name of the file, for messages.
        node: the YAML node at this place.
    """

    file: str
    node: yaml.Node

    @property
    def line(self) -> int:
        """Line number, counted from 1."""
        return int(self.node.start_mark.line) + 1

    def fail(self, message: str) -> NoReturn:
        """Raises ConfigurationError with file and line before `message`."""
        raise ConfigurationError(f"{self.file}, line {self.line}: {message}")

    def fields(self, known: Sequence[str], what: str) -> dict[str, Entry]:
        """The values of a mapping by key.

        Args:
            known: the valid keys.
            what: what the mapping describes, for messages.
        """
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"{what} is written as `key: value` lines, not as {self._shown}; its keys are {', '.join(known)}")
        found: dict[str, Entry] = {}
        for key_node, value_node in self.node.value:
            key = Entry(self.file, key_node)
            name = key.text("a key")
            if name not in known:
                key.fail(f"{what} has no key {shortened(name)!r}: the known ones are {', '.join(known)}")
            if name in found:
                key.fail(f"{name!r} stands here a second time (first in line {found[name].line}): remove one of them")
            found[name] = Entry(self.file, value_node)
        return found

    def pairs(self, what: str) -> dict[str, Entry]:
        """The values of a mapping whose keys are free."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"{what} are written as `name: value`, not as {self._shown}")
        return self.fields([str(key.value) for key, _ in self.node.value], what)

    def items(self) -> list[Entry]:
        """The entries of a list. Any other value counts as a list of one entry."""
        if isinstance(self.node, yaml.SequenceNode):
            return [Entry(self.file, node) for node in self.node.value]
        return [self]

    def some(self, what: str) -> list[Entry]:
        """The `items`, at least one. An empty list would leave the grid without a run."""
        found = self.items()
        if not found:
            self.fail(f"`{what}` is an empty list: name at least one, or remove the line")
        return found

    @property
    def is_text(self) -> bool:
        """Whether this is a single value."""
        return isinstance(self.node, yaml.ScalarNode)

    def text(self, what: str) -> str:
        """The value as written."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.fail(f"{what} is a single value, not {self._shown}")
        text = str(self.node.value)
        if not text:
            self.fail(f"{what} is empty: give a value, or remove the line")
        return text

    def choice(self, known: Sequence[str], what: str) -> str:
        """One of the `known` values."""
        text = self.text(what)
        if text not in known:
            self.fail(f"unknown {what} {shortened(text)!r}: the known ones are {', '.join(known)}")
        return text

    def integer(self, what: str, low: int, high: int | None = None) -> int:
        """A whole number within bounds."""
        text = self.text(what)
        limits = f"{low} or more" if high is None else f"{low} to {high}"
        try:
            value = int(text)
        except ValueError:
            self.fail(f"{what} must be a whole number, {limits}, not {shortened(text)!r}")
        if not low <= value <= (_LARGEST if high is None else high):
            self.fail(f"{what} must be {limits}, not {counted_digits(value)}")
        return value

    def share(self, what: str) -> float:
        """A number from 0 to below 1."""
        text = self.text(what)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < 1:
            self.fail(f"{what} must be a share from 0 to below 1, not {shortened(text)!r}: five percent are 0.05")
        return value

    def truth(self, what: str) -> bool:
        """True or false."""
        return self.choice(("true", "false"), what) == "true"

    def scalar(self, what: str) -> Scalar:
        """A number, text, true, false or null, by YAML's rules."""
        text = self.text(what) if not (isinstance(self.node, yaml.ScalarNode) and not self.node.value) else ""
        tag = self.node.tag.rpartition(":")[2]
        if tag == "bool":
            return text.lower() in ("true", "yes", "on")
        if tag == "null":
            return None
        for kind in (int, float) if tag in ("int", "float") else ():
            try:
                return kind(text)
            except ValueError:
                continue
        try:
            return float(text)  # YAML 1.1 reads 1e-4 as text
        except ValueError:
            return text

    @property
    def _shown(self) -> str:
        if isinstance(self.node, yaml.SequenceNode):
            return "a list"
        if isinstance(self.node, yaml.MappingNode):
            return "`key: value` lines"
        return repr(str(self.node.value)[:60])


def open_yaml(path: Path) -> Entry:
    """The root of the YAML file at `path`.

    Raises:
        ConfigurationError: the file is missing, too large, empty, or not YAML; names the line.
    """
    try:
        kind = special_kind(path)
        if kind is not None:
            raise ConfigurationError(f"{path} is {kind}: give the YAML file of a grid")
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"{path} is larger than {MAX_BYTES} bytes: give the YAML file of a grid")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not text in UTF-8: give the YAML file of a grid") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}{line}: this is not YAML: {error.problem}. Check indentation there") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not YAML: {str(error).splitlines()[0]}") from None
    if root is None:
        raise ConfigurationError(f"{path} is empty: give at least data, backbones, layers and methods")
    return Entry(str(path), root)
