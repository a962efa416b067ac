"""WideResNet-50-2 (Zagoruyko and Komodakis, BMVC 2016; arXiv 1605.07146): the heavy reference of the PaSTe paper.

Index 0 is the first convolution alone, 1 its batch norm, ReLU, pooling and layer1, 2 to 4 are layer2 to layer4. Shapes
at 224 x 224: 0: 64x112x112, 1: 256x56x56, 2: 512x28x28, 3: 1024x14x14, 4: 2048x7x7.
"""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from flawspot.backbones.registry import backbone
from flawspot.backbones.weights import Url, WeightsFile

# Inner width, output channels, blocks, stride of the first.
STAGES = ((128, 256, 3, 1), (256, 512, 4, 2), (512, 1024, 6, 2), (1024, 2048, 3, 2))

WEIGHTS = tuple(
    WeightsFile(
        name=name,
        filename=f"wide_resnet50_2-{digest}.pth",
        sha256=digest,  # upstream publishes this prefix only
        sources=(Url(f"https://download.pytorch.org/models/wide_resnet50_2-{digest}.pth"),),
        license=f"BSD-3-Clause (torchvision), top-1 {top1} %",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        native_size=224,
    )
    for name, digest, top1 in (("imagenet1k_v1", "95faca4d", 78.468), ("imagenet1k_v2", "9ba9bcbe", 81.602))
)


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1, and a shortcut, projected where the shape changes."""

    def __init__(self, inputs: int, width: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class FirstLayer(nn.Module):
    """Batch norm, ReLU and pooling of the first convolution, then layer1."""

    def __init__(self, layer1: nn.Module) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = layer1

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64, H, W) -> (N, 256, H / 2, W / 2)."""
        y: Tensor = self.layer1(F.max_pool2d(F.relu(self.bn1(x)), 3, 2, 1))
        return y


def rename(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's names -> those of the block list; the classifier is dropped."""
    homes = {"conv1": "0", "bn1": "1.bn1", "layer1": "1.layer1", "layer2": "2", "layer3": "3", "layer4": "4"}
    renamed = {}
    for name, tensor in checkpoint.items():
        first, rest = name.split(".", 1)
        if first != "fc":
            renamed[f"{homes.get(first, first)}.{rest}"] = tensor
    return renamed


@backbone(
    last=4,
    layer_groups={"equiv": (1, 2, 3)},
    weights=WEIGHTS,
    rename=rename,
    source="Zagoruyko and Komodakis, Wide Residual Networks, BMVC 2016 (arXiv 1605.07146)",
)
def wide_resnet50_2() -> list[nn.Module]:
    """The first convolution and four stages."""
    stages = []
    channels = 64
    for width, outputs, repeats, stride in STAGES:
        blocks = []
        for repeat in range(repeats):
            blocks.append(Bottleneck(channels, width, outputs, stride if repeat == 0 else 1))
            channels = outputs
        stages.append(nn.Sequential(*blocks))
    return [nn.Conv2d(3, 64, 7, 2, 3, bias=False), FirstLayer(stages[0]), *stages[1:]]
