"""``--to c``: a C99 file, its header, and a file for resizing."""

from __future__ import annotations

import dataclasses
import re
from contextlib import AbstractContextManager
from pathlib import Path

from flawspot.errors import ConfigurationError, ExportError
from flawspot.export.c.compiling import code_bytes, compiled, find_compiler
from flawspot.export.c.writer import CProgram, write_c
from flawspot.export.gate import Bounds, Translation
from flawspot.export.source import Source
from flawspot.export.target import Written

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_TAKEN = frozenset(
    f"{name}.c"
    for group in (
        ("assert", "ctype", "errno", "float", "limits", "locale", "math", "setjmp"),
        ("signal", "stdarg", "stddef", "stdint", "stdio", "stdlib", "string"),
    )
    for name in group
)
"""Names of C's own headers. A file with such a name would hide the header."""


class CTarget:
    """See `flawspot.export.target.Target`."""

    name = "c"
    about = "a C99 file with its header, which needs only libm"
    from_form = True
    own_integers = True
    bounds = Bounds()
    missing = (
        "there is no C compiler here to compare the C file with the artifact: install one, set CC, or say --unverified"
    )

    def check_path(self, path: Path) -> tuple[Path, ...]:
        if path.name.lower() in _TAKEN:
            raise ConfigurationError(f"cannot write {path}: {path.stem}.h is a header of C; name it part.c")
        if path.suffix != ".c" or not _NAME.fullmatch(path.stem):
            raise ConfigurationError(
                f"cannot write {path}: name it as a C file, of letters, digits and _, such as part.c"
            )
        return path, path.with_suffix(".h"), path.with_name(f"{path.stem}_resize.c")

    def write(self, source: Source, path: Path) -> Written:
        program = write_c(source.needed_form(), source.facts)
        texts = (program.source, program.header, program.resize)
        files = {name: text.encode() for name, text in zip(self.check_path(path), texts, strict=True)}
        return Written(files, program.bytes, None, program.arena, program.bound)

    def runs_here(self) -> str | None:
        compiler = find_compiler()
        return None if compiler is None else " ".join(compiler)

    def at_work(self, source: Source, written: Written) -> AbstractContextManager[Translation]:
        compiler, form = find_compiler(), source.needed_form()
        if compiler is None:
            raise ExportError(self.missing)
        return compiled(_program(source, written), form.input_size, compiler, trace=form.quantized)

    def measured(self, source: Source, written: Written) -> Written:
        compiler = find_compiler()
        if compiler is None:
            return written
        return dataclasses.replace(written, code=code_bytes(_program(source, written), compiler))


def _program(source: Source, written: Written) -> CProgram:
    texts = [data.decode() for data in written.files.values()]
    arena, bound = written.arena or 0, written.arena_bound or 0
    return CProgram(source.facts.name, texts[0], texts[1], texts[2], dict(written.parts), arena, bound)
