"""A backbone as an ordered list of blocks: taps, trimming, splitting.

"Layer k" is the *output* of block k, counted from 0, as in Table 1 of the PaSTe paper (arXiv 2410.11591).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from flawspot.cache import keep_torch_in_cache
from flawspot.errors import ConfigurationError, WeightsError

keep_torch_in_cache()

INPUT = -1
"""The index of the normalised photograph itself, the input of block 0."""


class BlockList(nn.Module):
    """Blocks that run one after the other. The outputs at `taps` are returned.

    Attributes:
        name: the registered name of the backbone.
        start: the index of the first block held. 0 for a whole backbone, s + 1 for the tail of ``split(s)``.
        taps: ascending block indices whose outputs `forward` returns, the last one being the last block held. May begin
            with ``start - 1``, the input itself (`INPUT` for a whole backbone).
    """

    def __init__(self, name: str, blocks: Iterable[nn.Module], taps: Sequence[int], *, start: int = 0) -> None:
        super().__init__()
        blocks = list(blocks)
        self.name = name
        self.start = start
        self.taps = check_taps(name, taps, first=start - 1, last=start + len(blocks) - 1)
        # Trimmed to the last tap: unused blocks are neither run nor stored.
        self.blocks = nn.ModuleList(blocks[: self.taps[-1] - start + 1])

    @property
    def last(self) -> int:
        """The index of the last block."""
        return self.start + len(self.blocks) - 1

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """Run the blocks on `x`: (N, C, H, W) -> {tap: (N, C_tap, H_tap, W_tap)}."""
        outputs = {self.start - 1: x} if self.start - 1 in self.taps else {}
        for index, block in enumerate(self.blocks, self.start):
            x = block(x)
            if index in self.taps:
                outputs[index] = x
        return outputs

    def shapes(self, size: tuple[int, int]) -> dict[int, tuple[int, int, int]]:
        """{tap: (C, H, W)} for an input of (height, width), by running it on zeros, or on torch's meta device."""
        device = next(self.parameters(), torch.empty(0)).device
        with torch.no_grad():
            outputs = self(torch.zeros(1, 3, *size, device=device))
        return {tap: (output.shape[1], output.shape[2], output.shape[3]) for tap, output in outputs.items()}

    def split(self, index: int) -> tuple[BlockList, BlockList]:
        """Split after block `index` into a prefix, which includes it, and a tail. The blocks are shared, not copied.

        The prefix ends in a tap at `index`, which is the input of the tail. The other taps are divided between the two.

        Raises:
            ConfigurationError: one side would have no block.
        """
        if not self.start <= index < self.last:
            raise ConfigurationError(
                f"{self.name} cannot be split behind block {index}: choose one of {self.start} to {self.last - 1}"
            )
        cut = index + 1 - self.start
        prefix_taps = sorted({tap for tap in self.taps if tap <= index} | {index})
        prefix = BlockList(self.name, self.blocks[:cut], prefix_taps, start=self.start)
        tail = BlockList(self.name, self.blocks[cut:], [t for t in self.taps if t > index], start=index + 1)
        return prefix, tail

    def frozen(self) -> BlockList:
        """Prepare for inference: evaluation mode, no gradients. Returns itself."""
        self.eval()
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        return self


def check_taps(name: str, taps: Sequence[int], *, first: int, last: int) -> tuple[int, ...]:
    """Return `taps` as a tuple if they are block indices in ascending order, else raise an error.

    Raises:
        ConfigurationError: no taps, a tap out of range, or taps out of order.
    """
    taps = tuple(taps)
    if not taps:
        raise ConfigurationError(f"no layers given for {name}: give one or more of 0 to {last}")
    for tap in taps:
        if not first <= tap <= last:
            raise ConfigurationError(f"{name} has no layer {tap}: its layers are {max(first, 0)} to {last}")
    if any(a >= b for a, b in itertools.pairwise(taps)):
        ordered = ", ".join(map(str, sorted(set(taps))))
        raise ConfigurationError(f"layers of {name} must be in ascending order: write {ordered}")
    return taps


def load_strictly(blocks: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Load `tensors` into `blocks`; every name and every shape must agree.

    All tensors are required, because a teacher that silently stays random would still train.

    Raises:
        WeightsError: naming the first three tensors that are missing, unexpected or of another shape.
    """
    own = blocks.state_dict()
    # Old checkpoints lack this counter, which is not used with a fixed momentum of batch norm.
    own_names = {n for n in own if not n.endswith("num_batches_tracked")}
    names = {n for n in tensors if not n.endswith("num_batches_tracked")}
    wrong = [f"{n} is missing" for n in sorted(own_names - names)]
    wrong += [f"{n} is unexpected" for n in sorted(names - own_names)]
    wrong += [
        f"{n} is {_shape(tensors[n])}, not {_shape(own[n])}"
        for n in sorted(own_names & names)
        if tensors[n].shape != own[n].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise WeightsError(
            f"{source} does not fit this backbone: {'; '.join(wrong[:3])}{more}. "
            "Take the checkpoint named by `flawspot weights list`."
        )
    blocks.load_state_dict({n: tensors[n] for n in own if n in tensors}, strict=False)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"


def initialise(blocks: nn.Module, seed: int) -> None:
    """Fill a student with fresh random weights, the same for the same seed.

    He initialisation over the outgoing connections for convolutions, ones and zeros for batch norm, as the reference
    networks of STFPM (arXiv 2103.04257) are initialised before training.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in blocks.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            else:
                nn.init.normal_(module.weight, 0.0, 0.01, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            module.reset_running_stats()
