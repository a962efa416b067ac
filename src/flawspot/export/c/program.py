"""The C program while it is written: its tables, calls and kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.export.c.arena import Plan
from flawspot.export.tensors import Tensor

KERNELS: dict[str, tuple[str, ...]] = {
    "bounded": (),
    "look_up_f32": (),
    "rows_f32": ("bounded",),
    "pointwise_f32": ("rows_f32",),
    "dense_f32": ("rows_f32",),
    "depthwise_f32": ("bounded",),
    "add_f32": ("bounded",),
    "direction_f32": (),
    "pieces": (),
    "half": (),
    "stored": ("half",),
    "gathered": ("pieces",),
    "gaussian_diagonal": ("gathered", "stored"),
    "gaussian_full": ("gathered", "stored"),
    "nearest": ("gathered", "half"),
    "centres": ("pieces", "stored"),
    "product": (),
    "codes": (),
    "look_up_u8": (),
    "rows_u8": ("codes",),
    "pointwise_u8": ("rows_u8",),
    "dense_u8": ("rows_u8",),
    "depthwise_u8": ("codes",),
    "add_u8": ("codes",),
    "direction_u8": (),
    "direction_units_u8": (),
    "u8_to_f32": (),
    "u16_to_f32": (),
    "f32_to_u8": ("codes",),
    "f32_to_u16": ("codes",),
}
"""Files in `kernels`, in the order of writing, and the kernels that each uses."""
_TYPES = {
    "float32": "float",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
}
_LINE = 24
"""Numbers in a line."""


def kernel(name: str) -> str:
    """The text of a kernel."""
    return files("flawspot.export.c").joinpath("kernels", f"{name}.c").read_text(encoding="utf-8")


@dataclass
class Program:
    """The parts written so far.

    Attributes:
        places: places of all blocks in the arena.
        roots: for tensors that share another's place, that tensor's name.
        tables: definitions of tables.
        calls: the calls, one line of `flawspot_run` each.
        sizes: bytes of the tables, by part.
        kernels: names of the called kernels.
        instances: instances of macro kernels, for the shapes in use.
    """

    places: Plan
    roots: Mapping[str, str]
    tables: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    kernels: set[str] = field(default_factory=set)
    instances: list[str] = field(default_factory=list)
    _known: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def call(self, kernel_name: str, *arguments: object, function: str | None = None) -> None:
        """Call a kernel."""
        self.use(kernel_name)
        self.calls.append(f"{function or kernel_name}({', '.join(map(str, arguments))});")

    def use(self, kernel_name: str) -> None:
        """Include a kernel, and the ones that it uses."""
        self.kernels.add(kernel_name)
        for other in KERNELS[kernel_name]:
            self.use(other)

    def instance(self, kernel_name: str, text: str) -> None:
        """Include a macro kernel for one shape."""
        self.use(kernel_name)
        if text not in self.instances:
            self.instances.append(text)

    def at(self, tensor: Tensor) -> str:
        """The place of a tensor, as C."""
        place = self.places.places[self.root(tensor.name)]
        kind = "F32" if tensor.quantization is None else f"U{tensor.quantization.bits}"
        return f"{kind}({place})"

    def root(self, name: str) -> str:
        """The tensor whose place a tensor shares."""
        while name in self.roots:
            name = self.roots[name]
        return name

    def scratch(self, step: int) -> str:
        """The scratch memory of an operation, as a place in the arena."""
        return str(self.places.places[scratch_name(step)])

    def table(self, part: str, numbers: NDArray[Any]) -> str:
        """Define an array, unless an equal one exists, and return its name."""
        if numbers.dtype == np.float16:
            numbers = numbers.view(np.uint16)
        kind = _TYPES[numbers.dtype.name]
        key = (kind, np.ascontiguousarray(numbers).tobytes())
        if key not in self._known:
            name = self._known[key] = f"t{len(self._known)}"
            self.sizes[part] = self.sizes.get(part, 0) + numbers.nbytes
            self.tables.append(f"static const {kind} {name}[{numbers.size}] = {{\n{written(numbers)}}};\n")
        return self._known[key]

    def structure(self, kind: str, values: Sequence[object], *, several: bool = False) -> str:
        """Define a constant structure, or an array of them, unless an equal one exists, and return its name."""
        text = ", ".join(map(str, values))
        key = (kind, text.encode())
        if key not in self._known:
            name = self._known[key] = f"s{len(self._known)}"
            count = f"[{len(values)}]" if several else ""
            self.tables.append(f"static const {kind} {name}{count} = {{{text}}};\n")
        return self._known[key]


def scratch_name(step: int) -> str:
    """The name of the scratch memory of operation `step`."""
    return f"scratch of {step}"


def written(numbers: NDArray[Any]) -> str:
    """Numbers in C, written exactly."""
    flat = numbers.ravel()
    texts = list(map(number, flat.tolist())) if flat.dtype == np.float32 else list(map(str, flat.tolist()))
    return "".join(", ".join(texts[at : at + _LINE]) + ",\n" for at in range(0, len(texts), _LINE))


def number(value: float | None, otherwise: str = "") -> str:
    """A float32 in C, with nine digits, which identify it. `otherwise` stands for None."""
    if value is None:
        return otherwise
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"
