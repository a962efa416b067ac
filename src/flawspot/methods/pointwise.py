"""Speeds up the 1 x 1 convolutions of a network that is trained on one thread."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator

import torch
from torch import nn

_X86 = ("x86_64", "AMD64")


@contextlib.contextmanager
def quick_pointwise(network: nn.Module) -> Iterator[None]:
    """Let oneDNN compute the 1 x 1 convolutions of `network` in this block, also on one thread.

    With one thread and fewer than 16 photographs in a batch torch takes its own loop for them, which takes 1.5 times as
    long. It asks oneDNN for every dilated convolution, and the dilation of a 1 x 1 kernel changes nothing. Sums have
    another order. Does nothing on other processors, where this was not measured, and on a GPU.
    """
    modules = network.modules() if _is_slow_here() else ()
    kernels = [
        module
        for module in modules
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.weight.device.type == "cpu"
    ]
    for kernel in kernels:
        kernel.dilation = (2, 2)
    try:
        yield
    finally:
        for kernel in kernels:
            kernel.dilation = (1, 1)


def _is_slow_here() -> bool:
    with_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return torch.get_num_threads() == 1 and platform.machine() in _X86 and with_onednn
