"""Students in the form of the graph: each batch norm is folded into the convolution before it.

The exporter folds a norm with scale g, shift b, mean m and variance v into a convolution's weights w and bias c as
``w g / root(v + eps)`` and ``(c - m) g / root(v + eps) + b``. They keep the names of the convolution's own constants.
Constants that are not folded have the names of the module.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.backbones.block_list import BlockList

_NOT_READ = "num_batches_tracked"
"""A counter that is not used with a fixed momentum of batch norm."""


def states(students: Sequence[BlockList]) -> dict[str, NDArray[Any]]:
    """Weights and statistics of students, by ``NUMBER/NAME``."""
    return {
        f"{number}/{name}": tensor.numpy()
        for number, student in enumerate(students)
        for name, tensor in student.state_dict().items()
        if not name.endswith(_NOT_READ)
    }


def norms_behind(student: BlockList, start: Tensor) -> dict[str, str]:
    """For the name of each convolution, the name of the batch norm that reads its output.

    Args:
        student: the student in evaluation mode.
        start: (N, C, H, W), its input. Both may be on torch's meta device.
    """
    outputs: list[tuple[str, Tensor]] = []
    found: dict[str, str] = {}
    hooks = []

    def watch(name: str, module: nn.Module) -> None:
        def made(_: nn.Module, __: Any, output: Tensor) -> None:
            outputs.append((name, output))

        def given(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            found.update({conv: name for conv, output in outputs if output is inputs[0]})

        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(made))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(given))

    for name, module in student.named_modules():
        watch(name, module)
    try:
        with torch.no_grad():
            student(start)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def constants(student: BlockList, norms: Mapping[str, str], names: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """A student's constants in the graph, by their names without the student's prefix.

    Args:
        student: the student, on the CPU.
        norms: result of `norms_behind`.
        names: names in the graph. A norm whose mean is among them is not folded.
    """
    held = {
        name: tensor.double().numpy() for name, tensor in student.state_dict().items() if not name.endswith(_NOT_READ)
    }
    for conv, norm in norms.items():
        if f"{norm}.running_mean" in names:
            continue
        module = student.get_submodule(norm)
        assert isinstance(module, nn.BatchNorm2d)
        shift = held.pop(f"{norm}.bias")
        mean, variance = held.pop(f"{norm}.running_mean"), held.pop(f"{norm}.running_var")
        scale = held.pop(f"{norm}.weight") / np.sqrt(variance + module.eps)
        weight = f"{conv}.weight"
        biased = f"{conv}.bias" in held
        bias = held[f"{conv}.bias"] if biased else np.zeros_like(mean)
        held[weight] = held[weight] * scale[:, None, None, None]
        held[f"{conv}.bias" if biased else f"{weight}_bias"] = (bias - mean) * scale + shift
    return {name: numbers.astype(np.float32) for name, numbers in held.items()}
