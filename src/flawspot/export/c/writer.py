"""A detector as C99: one file and its header, which need nothing but libm."""

from __future__ import annotations

from dataclasses import dataclass

from flawspot.export.c import codes as c_codes
from flawspot.export.c import floats as c_floats
from flawspot.export.c.arena import Block, Plan, plan
from flawspot.export.c.heads import write_centres, write_gaussian, write_nearest, write_product
from flawspot.export.c.program import KERNELS, Program, kernel, scratch_name
from flawspot.export.c.texts import header, resizing, source
from flawspot.export.form import Addition, Conversion, Convolution, Form, Input, Operation
from flawspot.export.head_operations import (
    CentreDistance,
    DirectionDistance,
    GaussianDistance,
    MapProduct,
    NearestNeighbour,
)
from flawspot.export.source import Facts
from flawspot.export.tensors import Tensor


@dataclass(frozen=True)
class CProgram:
    """What was written.

    Attributes:
        name: of the files, without suffix.
        source, header, resize: the texts of the three files.
        bytes: of constant tables, by part.
        arena: bytes of the one block of memory.
        bound: no plan for this order of operations needs less.
    """

    name: str
    source: str
    header: str
    resize: str
    bytes: dict[str, int]
    arena: int
    bound: int


def write_c(form: Form, facts: Facts) -> CProgram:
    """Write a detector in C.

    Args:
        form: the detector.
        facts: what the file says of itself.

    Raises:
        ExportError: a head's tables, or a sum's bounds, have no C form.
    """
    places, roots = plan_memory(form)
    program = Program(places, roots)
    for step, operation in enumerate(form.operations):
        _write(program, operation, step)
        if not isinstance(operation, MapProduct):
            program.calls.append(f"TRACE({step}, {program.at(operation.y)}, {operation.y.bytes});")
    kernels = [*(kernel(name) for name in KERNELS if name in program.kernels), *program.instances, ""]
    text = source(facts, kernel("common"), kernels, program.tables, program.calls, places.bytes)
    texts = (text, header(facts, places.bytes), resizing(facts, kernel("resize")))
    return CProgram(facts.name, *texts, program.sizes, places.bytes, places.bound)


def plan_memory(form: Form) -> tuple[Plan, dict[str, str]]:
    """Where tensors and what operations need for themselves lie, and which tensors lie where others do.

    Returns:
        The plan, and by name of a tensor that of the one whose place it takes over.
    """
    blocks, roots = memory_blocks(form)
    return plan(blocks), roots


def memory_blocks(form: Form) -> tuple[list[Block], dict[str, str]]:
    """As `plan_memory`, before anything is placed."""
    last: dict[str, int] = {}
    for step, operation in enumerate(form.operations):
        last.update({tensor.name: step for tensor in operation.inputs})
    roots: dict[str, str] = {}
    spans: dict[str, tuple[int, int, int]] = {}

    def root(name: str) -> str:
        while name in roots:
            name = roots[name]
        return name

    for step, operation in enumerate(form.operations):
        if (scratch := scratch_bytes(operation)) > 0:
            spans[scratch_name(step)] = (scratch, step, step)
        if isinstance(operation, MapProduct):
            continue
        name, until = operation.y.name, last[operation.y.name]
        for x in _in_place(operation):
            if last[x.name] == step and x.bytes == operation.y.bytes:
                roots[name] = x.name
                break
        if name in roots:
            size, first, _ = spans[root(name)]
            spans[root(name)] = (size, first, until)
        else:
            spans[name] = (operation.y.bytes, step, until)
    return [Block(name, *span) for name, span in spans.items()], roots


def _in_place(operation: Operation) -> tuple[Tensor, ...]:
    """Tensors that the result may be written over."""
    if isinstance(operation, Addition):
        return (operation.b, operation.a)
    if isinstance(operation, Convolution) and _copied(operation) and operation.strides == (1, 1):
        return (operation.x,)
    return ()


def _copied(operation: Convolution) -> bool:
    """Whether its kernel copies each channel before it computes it."""
    return operation.depthwise and (operation.x.quantization is None or c_codes.square(operation))


def scratch_bytes(operation: Operation) -> int:
    """What an operation needs for itself while it runs."""
    if isinstance(operation, Convolution) and not operation.pointwise:
        item = 4 if operation.x.quantization is None else operation.x.quantization.bits // 8
        tall, wide, depth = (int(size) for size in (*operation.weight.shape[2:], operation.weight.shape[1]))
        if _copied(operation):
            lines = (operation.y.height - 1) * operation.strides[0] + tall
            line = (operation.y.width - 1) * operation.strides[1] + wide
            return item * (lines * line + 3 * operation.strides[1])
        return item * 2 * tall * wide * depth
    if isinstance(operation, GaussianDistance):
        return 4 * len(operation.mean.numbers)
    if isinstance(operation, NearestNeighbour):
        vectors = sum(len(level.mean) for level in operation.levels)
        return 4 * (vectors + sum(len(level.rows.numbers) for level in operation.levels[1:]))
    if isinstance(operation, CentreDistance):
        return 4 * (sum(operation.matrix.shape) + operation.nearest)
    if isinstance(operation, MapProduct):
        return 4 * sum(factor.x.width for factor in operation.factors)
    return 0


def _write(program: Program, operation: Operation, step: int) -> None:
    kinds = c_floats if all(x.quantization is None for x in (operation.y, *operation.inputs)) else c_codes
    match operation:
        case Input():
            kinds.write_input(program, operation)
        case Convolution():
            kinds.write_convolution(program, operation, step)
        case Addition():
            kinds.write_addition(program, operation)
        case DirectionDistance():
            kinds.write_direction(program, operation)
        case Conversion():
            c_codes.write_conversion(program, operation)
        case GaussianDistance():
            write_gaussian(program, operation, step)
        case NearestNeighbour():
            write_nearest(program, operation, step)
        case CentreDistance():
            write_centres(program, operation, step)
        case MapProduct():
            write_product(program, operation, step)
