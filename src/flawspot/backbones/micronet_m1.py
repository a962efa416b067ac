"""MicroNet-M1 (Li et al., MicroNet: Improving Image Recognition with Extremely Low FLOPs, ICCV 2021; arXiv 2108.05894).

Micro-factorized convolutions: depthwise ones as k x 1 and 1 x k, pointwise ones in groups with channel shuffles
between, and Dynamic Shift-Max as activation. Index 0 is the stem, 1 to 7 the blocks. Shapes at 224 x 224: 0: 6x112x112,
1: 8x56x56, 2: 16x28x28, 3: 16x14x14, 4: 32x14x14, 5: 64x7x7, 6: 96x7x7, 7: 576x7x7.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flawspot.backbones.registry import backbone
from flawspot.backbones.weights import Url, WeightsFile

WEIGHTS = (
    WeightsFile(
        name="imagenet1k_official",
        filename="micronet-m1.pth",
        git_blob_sha1="7e84a7a6afa1dbdfb6c04be4589a227bd7cb42da",
        sources=(
            Url(
                "https://raw.githubusercontent.com/AMCO-UniPD/moviad/51d147a18b23606a654db181b424cb4ec96ae007/"
                "moviad/backbones/micronet/weights/micronet-m1.pth"
            ),
        ),
        license="none stated",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        native_size=224,
    ),
)


class Convolution(nn.Module):
    """Modules in a row under the published name ``conv``: convolutions without bias, each with its batch norm."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Sequential(*modules)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        y: Tensor = self.conv(x)
        return y


def _depthwise(inputs: int, between: int, outputs: int, kernel: int, stride: int) -> Convolution:
    """k x 1, then 1 x k; each may have several outputs for an input channel."""
    pad = kernel // 2
    return Convolution(
        nn.Conv2d(inputs, between, (kernel, 1), (stride, 1), (pad, 0), groups=inputs, bias=False),
        nn.BatchNorm2d(between),
        nn.Conv2d(between, outputs, (1, kernel), (1, stride), (0, pad), groups=between, bias=False),
        nn.BatchNorm2d(outputs),
    )


def _pointwise(inputs: int, outputs: int, groups: int) -> Convolution:
    return Convolution(nn.Conv2d(inputs, outputs, 1, groups=groups, bias=False), nn.BatchNorm2d(outputs))


class Shuffle(nn.Module):
    """Interleave the channels of `groups` groups."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        channels, height, width = x.shape[1:]
        return x.reshape(-1, self.groups, channels // self.groups, height, width).transpose(1, 2).flatten(1, 2)


class DynamicShiftMax(nn.Module):
    """Mixes a channel and its partner of another group by the means of all channels (section 4).

    With `branches` 1 one mixture, with 2 the larger of two.
    """

    partner: Tensor

    def __init__(self, channels: int, groups: int, squeezed: int, branches: int) -> None:
        super().__init__()
        self.branches = branches
        self.fc = nn.Sequential(nn.Linear(channels, squeezed), nn.ReLU(), nn.Linear(squeezed, 2 * branches * channels))
        index = torch.arange(channels).reshape(groups, channels // groups)
        partner = index.roll(-1, 0).roll(-1, 1).flatten()
        self.register_buffer("partner", partner, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        gates = F.hardsigmoid(self.fc(x.mean(dim=(2, 3))))  # (N, 2 * branches * C), in 0..1
        factors = ((gates - 0.5) * 4)[:, :, None, None].chunk(2 * self.branches, dim=1)
        partners = x[:, self.partner]
        mixtures = [x * (factors[2 * b] + 1) + partners * (factors[2 * b + 1]) for b in range(self.branches)]
        return mixtures[0] if self.branches == 1 else torch.maximum(mixtures[0], mixtures[1])


class Block(nn.Module):
    """Layers in a row under the published name ``layers``, numbered as there. Layers without effect are left out."""

    def __init__(self, layers: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({str(number): layer for number, layer in layers.items()})

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        for layer in self.layers.values():
            x = layer(x)
        return x


class Stem(nn.Module):
    """3 x 1 and 1 x 3 of stride 2, a shuffle, ReLU6."""

    def __init__(self) -> None:
        super().__init__()
        convolution = Convolution(
            nn.Conv2d(3, 3, (3, 1), (2, 1), (1, 0), bias=False),
            nn.BatchNorm2d(3),
            nn.Conv2d(3, 6, (1, 3), (1, 2), (0, 1), groups=3, bias=False),
            nn.BatchNorm2d(6),
            Shuffle(3),
        )
        self.stem = nn.Sequential(convolution, nn.ReLU6())

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 6, H / 2, W / 2)."""
        y: Tensor = self.stem(x)
        return y


def _reducing(inputs: int, between: int, hidden: int, outputs: int, kernel: int, groups: int, squeezed: int) -> Block:
    """Micro-Block-A: depthwise with more channels, then pointwise with fewer; stride 2."""
    shuffles = outputs // 2
    return Block(
        {
            0: _depthwise(inputs, between, hidden, kernel, 2),
            1: DynamicShiftMax(hidden, inputs, squeezed, 2),
            2: Shuffle(hidden // 4),
            3: Shuffle(hidden // 2),
            4: _pointwise(hidden, outputs, groups),
            5: DynamicShiftMax(outputs, groups, 4, 1),
            6: Shuffle(groups),
            7: Shuffle(shuffles),
        }
    )


def _full(
    inputs: int, hidden: int, outputs: int, kernel: int, stride: int, groups: int, squeezed: tuple[int, int, int]
) -> Block:
    """Micro-Block-C: pointwise, depthwise, pointwise."""
    return Block(
        {
            0: _pointwise(inputs, hidden, groups),
            1: DynamicShiftMax(hidden, groups, squeezed[0], 2),
            2: Shuffle(groups),
            3: _depthwise(hidden, hidden, hidden, kernel, stride),
            5: DynamicShiftMax(hidden, 48 if hidden == 384 else 24, squeezed[1], 2),
            6: Shuffle(hidden // 4),
            7: _pointwise(hidden, outputs, groups),
            8: DynamicShiftMax(outputs, groups, squeezed[2], 1),
            9: Shuffle(groups),
            10: Shuffle(outputs // 2),
        }
    )


def rename(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published names -> those of the block list; the classifier is dropped."""
    return {n.removeprefix("features."): t for n, t in checkpoint.items() if not n.startswith("classifier.")}


@backbone(
    last=7,
    layer_groups={
        "low": (1, 2, 3),
        "mid": (2, 3, 4),
        "high": (3, 4, 5),
        "equiv": (2, 4, 5),
        "paste": (3, 4, 5),
    },
    weights=WEIGHTS,
    rename=rename,
    source="Li et al., MicroNet, ICCV 2021 (arXiv 2108.05894), M1",
    student_patience=10,
)
def micronet_m1() -> list[nn.Module]:
    """The stem and seven blocks of the configuration msnx_dy6_exp6_6M_221."""
    # The first block has ReLU6 and one shuffle where the others have Dynamic Shift-Max and two.
    first = Block(
        {
            0: _depthwise(6, 12, 24, 3, 2),
            1: nn.ReLU6(),
            2: Shuffle(6),
            4: _pointwise(24, 8, 2),
            5: DynamicShiftMax(8, 2, 4, 1),
            6: Shuffle(2),
            7: Shuffle(4),
        }
    )
    return [
        Stem(),
        first,
        _reducing(8, 16, 32, 16, 3, 4, 4),
        _reducing(16, 32, 64, 16, 5, 4, 8),
        _full(16, 96, 32, 5, 1, 4, (12, 12, 8)),
        _full(32, 192, 64, 5, 2, 8, (24, 24, 16)),
        _full(64, 384, 96, 3, 1, 8, (24, 24, 12)),
        Block({0: _pointwise(96, 576, 12), 1: DynamicShiftMax(576, 12, 36, 1)}),
    ]
