"""PhiNet with alpha 1.2, beta 0.5, t0 6, 7 blocks, downsampling at 4, 5, 7 (Paissan et al., ACM TECS 2022).

Written from the description of micromind 0.2.1. Index 0 is the zero padding, 1 the separable convolution, 2 a block
without expansion, 3 to 9 the blocks b = 1 to 7. Shapes at 224 x 224: 1: 56x112x112, 2: 32x112x112, 3-4: 32x56x56,
5: 56x28x28, 6: 112x14x14, 7-8: 232x7x7, 9: 464x4x4.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from flawspot.backbones.registry import backbone
from flawspot.backbones.weights import Url, WeightsFile

T_ZERO, BETA, BLOCKS = 6, 0.5, 7
DROPOUT = 0.05

# Channels in and out and the stride of blocks b = 1 to 7.
CHANNELS = ((32, 32, 2), (32, 32, 1), (32, 56, 2), (56, 112, 2), (112, 232, 2), (232, 232, 1), (232, 464, 2))

_MOVIAD = (
    "https://raw.githubusercontent.com/AMCO-UniPD/moviad/51d147a18b23606a654db181b424cb4ec96ae007/"
    "moviad/backbones/phinet/"
)
WEIGHTS = (
    WeightsFile(
        name="imagenet1k_moviad",
        filename="new_phinet_divisor8_v2_downsampl.pt",
        git_blob_sha1="2ebfac432d3aaebc384bc9f4063d4989059825b2",
        sources=(Url(_MOVIAD + "new_phinet_divisor8_v2_downsampl.pt"),),
        license="none stated",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        native_size=224,
    ),
)


def divisible(value: float, divisor: int = 8) -> int:
    """`value` rounded to a multiple of `divisor`, never more than a tenth below it."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def expansion(block: int) -> float:
    """The expansion factor of block b, falling linearly from t0 to t0 * beta (equation 2 of the PhiNets paper)."""
    return T_ZERO * BETA * block / BLOCKS + T_ZERO * (BLOCKS - block) / BLOCKS


class Layers(nn.Module):
    """Modules in a row under the published name ``_layers``."""

    def __init__(self, layers: list[nn.Module], *, shortcut: bool = False) -> None:
        super().__init__()
        self._layers = nn.ModuleList(layers)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        y = x
        for layer in self._layers:
            y = layer(y)
        return x + y if self.shortcut else y


class SqueezeExcitation(nn.Module):
    """Weights channels by the means of all channels (squeeze-and-excitation)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.se_conv = nn.Conv2d(channels, squeezed, 1, bias=False)
        self.se_conv2 = nn.Conv2d(squeezed, channels, 1, bias=False)
        self.activation = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        weight = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.se_conv2(self.activation(self.se_conv(weight))))


def _norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.999)


def _block(number: int, inputs: int, outputs: int, stride: int) -> Layers:
    hidden = divisible(int(expansion(number) * inputs))
    squeezed = divisible(max(1, int(hidden / 6)))
    return Layers(
        [
            nn.Conv2d(inputs, hidden, 1, bias=False),
            _norm(hidden),
            nn.Hardswish(),
            nn.Dropout2d(DROPOUT),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            _norm(hidden),
            nn.Hardswish(),
            SqueezeExcitation(hidden, squeezed),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            _norm(outputs),
        ],
        shortcut=stride == 1 and inputs == outputs,
    )


def rename(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published names (``_layers.5._layers.0.weight``) -> those of the block list; the classifier is dropped."""
    return {n.removeprefix("_layers."): t for n, t in checkpoint.items() if not n.startswith("classifier.")}


@backbone(
    last=9,
    layer_groups={
        "low": (4, 5, 6),
        "mid": (5, 6, 7),
        "high": (6, 7, 8),
        "equiv": (2, 6, 7),
        "paste": (5, 6, 7),
    },
    weights=WEIGHTS,
    rename=rename,
    source="Paissan et al., PhiNets, ACM TECS 2022",
)
def phinet() -> list[nn.Module]:
    """Padding, stem, the block without expansion, and the seven blocks."""
    stem = Layers(
        [
            nn.Conv2d(3, 3, 3, 2, groups=3, bias=False),
            nn.Conv2d(3, 56, 1, bias=False),
            _norm(56),
            nn.Hardswish(),
        ]
    )
    first = Layers(
        [
            nn.Dropout2d(DROPOUT),
            nn.Conv2d(56, 56, 3, 1, 1, groups=56, bias=False),
            _norm(56),
            nn.Hardswish(),
            nn.Conv2d(56, 32, 1, bias=False),
            _norm(32),
        ]
    )
    blocks = [_block(number, *shape) for number, shape in enumerate(CHANNELS, 1)]
    return [nn.ZeroPad2d((0, 1, 0, 1)), stem, first, *blocks]
