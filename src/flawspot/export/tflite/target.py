"""``--to tflite``: a file for TensorFlow Lite, TFLite-Micro and LiteRT."""

from __future__ import annotations

import dataclasses
import importlib.util
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from flawspot.errors import ConfigurationError, ExportError
from flawspot.export.gate import Bounds, Translation
from flawspot.export.source import Source
from flawspot.export.target import Written
from flawspot.export.tflite.running import Interpreted, recorded_arena
from flawspot.export.tflite.writer import write_tflite
from flawspot.extras import require

_PACKAGE = "tflite_micro"


class TfliteTarget:
    """See `flawspot.export.target.Target`."""

    name = "tflite"
    about = "one file for TFLite-Micro and LiteRT"
    from_form = True
    own_integers = True
    bounds = Bounds(share=0.03, rank=0.9)
    """TFLite rounds twice, first to a 2^-s of a step and then to whole steps, with s mostly 4 to 8 (the multiplier from
    sums to steps is between 2^-(s+1) and 2^-s). So one number in 2^(s+1) that is below the half is rounded up. PaSTe's
    products of small distances then rank similar pictures in another order."""
    missing = "there is no TFLite-Micro here to compare the TFLite file with the artifact: install flawspot[tflite]"

    def check_path(self, path: Path) -> tuple[Path, ...]:
        if path.suffix != ".tflite" or path.name == ".tflite":
            raise ConfigurationError(f"cannot write {path}: name it as a TFLite file, such as part.tflite")
        return (path,)

    def write(self, source: Source, path: Path) -> Written:
        _check_package()
        file = write_tflite(source.needed_form(), source.facts)
        return Written({path: file.data}, file.parts)

    def runs_here(self) -> str | None:
        if importlib.util.find_spec(_PACKAGE) is None:
            return None
        return f"TFLite-Micro {version(_PACKAGE)}"

    @contextmanager
    def at_work(self, source: Source, written: Written) -> Iterator[Translation]:
        form = source.needed_form()
        pieces = write_tflite(form, source.facts, cut=True) if form.quantized else None
        (data,) = written.files.values()
        yield Interpreted(data, pieces, form)

    def measured(self, source: Source, written: Written) -> Written:
        (data,) = written.files.values()
        return dataclasses.replace(written, arena=recorded_arena(data))


def _check_package() -> None:
    if importlib.util.find_spec(_PACKAGE) is None and _here() != ("linux", "x86_64"):
        raise ExportError("TFLite files are written with tflite-micro, made for Linux on x86-64 alone: export there")
    require(_PACKAGE, "a TFLite file")


def _here() -> tuple[str, str]:
    return sys.platform, platform.machine()
