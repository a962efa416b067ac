"""MCUNet-in3, the searched network for 320 KB of RAM and 1 MB of flash (Lin et al., NeurIPS 2020; arXiv 2007.10319).

Index 0 is the first convolution with the first block, 1 to 17 are the others. Shapes at 224 x 224: 0: 8x112x112, 1-4:
16x56x56, 5-7: 24x28x28, 8-10: 40x14x14, 11-13: 48x14x14, 14-16: 96x7x7, 17: 160x7x7.
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from flawspot.backbones.registry import backbone
from flawspot.backbones.weights import Url, WeightsFile


class Layer(NamedTuple):
    """One searched block: channels in, hidden and out, kernel, stride. Hidden equal to inputs: no expansion."""

    inputs: int
    hidden: int
    outputs: int
    kernel: int
    stride: int


# The official configuration mcunet-320kb-1mb_imagenet.json.
BLOCKS = (
    Layer(16, 16, 8, 3, 1),
    Layer(8, 24, 16, 7, 2),
    Layer(16, 80, 16, 3, 1),
    Layer(16, 80, 16, 7, 1),
    Layer(16, 64, 16, 5, 1),
    Layer(16, 80, 24, 5, 2),
    Layer(24, 120, 24, 5, 1),
    Layer(24, 120, 24, 5, 1),
    Layer(24, 120, 40, 3, 2),
    Layer(40, 240, 40, 7, 1),
    Layer(40, 160, 40, 5, 1),
    Layer(40, 200, 48, 5, 1),
    Layer(48, 240, 48, 7, 1),
    Layer(48, 240, 48, 3, 1),
    Layer(48, 288, 96, 3, 2),
    Layer(96, 480, 96, 7, 1),
    Layer(96, 384, 96, 3, 1),
    Layer(96, 480, 160, 7, 1),
)

WEIGHTS = (
    WeightsFile(
        name="imagenet1k_official",
        filename="mcunet-320kb-1mb_imagenet.pth",
        sha256="c0d4ccf4bb8ba93ef69a609c60ca053be2c6bab3b4ece19d9b7e66cec8a485e5",
        size=3_086_332,
        sources=(
            Url(
                "https://raw.githubusercontent.com/mit-han-lab/tinyml/e899b1bec08604910098ab6aab57bb30735dbb31/"
                "mcunet/assets/pt_ckpt/mcunet-320kb-1mb_imagenet.pth"
            ),
            Url("https://hanlab18.mit.edu/projects/tinyml/mcunet/release/mcunet-320kb-1mb_imagenet.pth"),
            Url("https://hanlab.mit.edu/projects/tinyml/mcunet/release/mcunet-320kb-1mb_imagenet.pth"),
        ),
        license="MIT",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        native_size=176,
    ),
)


class ConvBN(nn.Sequential):
    """Convolution without bias, batch norm, and ReLU6 unless `linear`."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        self.add_module("conv", nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False))
        self.add_module("bn", nn.BatchNorm2d(outputs))
        if not linear:
            self.add_module("act", nn.ReLU6())


class InvertedBlock(nn.Module):
    """1x1 expansion, k x k depthwise, linear 1x1 projection; a shortcut where the shape stays."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.shortcut = layer.stride == 1 and layer.inputs == layer.outputs
        self.mobile_inverted_conv = nn.Sequential()
        if layer.hidden != layer.inputs:
            self.mobile_inverted_conv.add_module("inverted_bottleneck", ConvBN(layer.inputs, layer.hidden, 1))
        depthwise = ConvBN(layer.hidden, layer.hidden, layer.kernel, layer.stride, groups=layer.hidden)
        self.mobile_inverted_conv.add_module("depth_conv", depthwise)
        self.mobile_inverted_conv.add_module("point_linear", ConvBN(layer.hidden, layer.outputs, 1, linear=True))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        y: Tensor = self.mobile_inverted_conv(x)
        return x + y if self.shortcut else y


def rename(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The official names -> those of the block list, whose block 0 holds the first convolution too."""
    renamed = {}
    for name, tensor in checkpoint.items():
        if name.startswith("first_conv."):
            renamed[f"0.0.{name.removeprefix('first_conv.')}"] = tensor
        elif name.startswith("blocks.0."):
            renamed[f"0.1.{name.removeprefix('blocks.0.')}"] = tensor
        elif name.startswith("blocks."):
            renamed[name.removeprefix("blocks.")] = tensor
        elif not name.startswith("classifier."):
            renamed[name] = tensor
    return renamed


@backbone(
    last=17,
    layer_groups={
        "low": (3, 6, 9),
        "mid": (6, 9, 12),
        "high": (9, 12, 15),
        "equiv": (2, 6, 14),
        "paste": (6, 10, 14),
    },
    weights=WEIGHTS,
    rename=rename,
    source="Lin et al., MCUNet, NeurIPS 2020 (arXiv 2007.10319)",
)
def mcunet_in3() -> list[nn.Module]:
    """The first convolution and the 18 searched blocks."""
    first, *others = (InvertedBlock(layer) for layer in BLOCKS)
    return [nn.Sequential(ConvBN(3, 16, 3, 2), first), *others]
