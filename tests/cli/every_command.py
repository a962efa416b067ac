"""Every command that there is, found by walking the application, with arguments it can work with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from flawspot.cli.commands import app

DETECTOR = ["--method", "padim", "--random-weights", "--input-size", "32", "--layers", "1", "--set", "channels=4"]

ARGUMENTS: dict[str, list[str]] = {
    "check": ["{data}", "--out", "{new}/page.html"],
    "train": ["{data}", "-o", "{new}/part.onnx", *DETECTOR],
    "choose": ["{data}", "--candidates", "{grid}", "--dry-run", "--store", "{new}/choice.sqlite"],
    "predict": ["{tiny}", "{photograph}", "--out", "{new}/found"],
    "serve": ["{tiny}", "--folder", "{new}/station", "--port", "0", "--check"],
    "update": ["{updatable}", "{data}", "-o", "{new}/part.onnx"],
    "drift": ["{tiny}", "{photograph}"],
    "evaluate": ["{tiny}", "{data}"],
    "info": ["{tiny}"],
    "card": ["{tiny}", "-o", "{new}/part.md"],
    "threshold": ["{tiny}", "--false-alarm-rate", "0.5"],
    "smallest": ["{tiny}", "{data}", "--trials", "2", "-o", "{new}/measured.onnx", "--out", "{new}/page.html"],
    "export": ["{small}", "-o", "{new}/part.c"],
    "make-key": ["{new}/key"],
    "sign": ["{signed}", "--key", "{key}"],
    "verify": ["{signed}", "--trusted-key", "{key}.pub"],
    "backbones": ["mobilenet_v2"],
    "methods": [],
    "costs": ["--method", "padim", "--input-size", "32"],
    "audit verify": ["{station}", "--pictures"],
    "audit export": ["{station}", "-o", "{new}/results.csv"],
    "tokens add": ["{new}", "--name", "bert", "--role", "viewer"],
    "tokens list": ["{station}"],
    "tokens remove": ["{station}", "--name", "anna"],
    "weights list": [],
    "weights path": [],
    "weights pull": ["mobilenet_v2"],
    "reproduce costs": [],
    "reproduce claims": ["{store}"],
    "benchmark plan": ["{grid}", "--store", "{new}/runs.sqlite"],
    "benchmark run": ["{grid}", "--store", "{new}/runs.sqlite", "--workers", "1"],
    "benchmark list": ["{store}"],
    "benchmark show": ["{store}", "k"],
    "benchmark export": ["{store}", "--out", "{new}/runs.csv"],
    "benchmark report": ["{store}", "--out", "{new}/report"],
    "demo": ["--out", "{new}/demo"],
    "doctor": ["{tiny}"],
}

SLOW = ("demo",)
"""Takes minutes: only what happens before its work is tried."""


def commands() -> dict[str, Any]:
    """Name and command of Typer's, of all that do something."""
    return dict(_walk(typer.main.get_command(app), ()))


def _walk(command: Any, name: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for part, child in getattr(command, "commands", {}).items():
        yield from _walk(child, (*name, part))
    if not hasattr(command, "commands"):
        yield " ".join(name), command


def parameters(*kinds: type) -> list[tuple[str, Any]]:
    """Command and parameter of all that take one of these types, alone, optional or in a list."""
    found = []
    for name, command in commands().items():
        hints = typing.get_type_hints(command.callback)
        for option in command.params:
            if set(kinds) & set(_plain(hints.get(option.name))):
                found.append((name, option))
    return found


def _plain(hint: Any) -> Iterator[Any]:
    inner = typing.get_args(hint)
    if not inner:
        yield hint
    for part in inner:
        yield from _plain(part)


def groups() -> list[str]:
    """Names of the groups of commands, the application itself as an empty one."""
    return ["", *sorted({name.rpartition(" ")[0] for name in commands()} - {""})]


def command_line(name: str, places: dict[str, Any]) -> list[str]:
    """A command with its arguments, `places` put in."""
    return [*name.split(), *(argument.format(**places) for argument in ARGUMENTS[name])]


def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
    """The command line in a process of its own, whose Ctrl-C works even where ours is ignored."""
    if os.name != "nt":
        options.setdefault("preexec_fn", _hear)
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "flawspot", *map(os.fspath, arguments)]
    return subprocess.Popen(command, text=True, errors="surrogateescape", **options)


def _hear() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def later(*values: Any) -> list[Any]:
    """Values of a parameter whose tests are slow ones: the commands refuse them as they refuse the others."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]
