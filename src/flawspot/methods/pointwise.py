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
    kernels = [module for module in network.modules() if isinstance(module, nn.Conv2d) and _is_slow(module)]
    for kernel in kernels:
        kernel.dilation = (2, 2)
    try:
        yield
    finally:
        for kernel in kernels:
            kernel.dilation = (1, 1)


def _is_slow(kernel: nn.Conv2d) -> bool:
    alone = kernel.weight.device.type == "cpu" and torch.get_num_threads() == 1
    with_onednn = platform.machine() in _X86 and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return kernel.kernel_size == (1, 1) and alone and with_onednn
