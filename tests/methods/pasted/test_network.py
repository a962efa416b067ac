"""The network: folded it computes the same, and it costs what it says."""

import numpy as np
import torch

from flawspot.backbones.macs import module_macs
from flawspot.methods.pasted.learning import focal
from flawspot.methods.pasted.network import DefectNetwork, network_macs
from flawspot.methods.shapes import Shapes

MAPS = {3: (24, 16, 12), 6: (32, 8, 6), 10: (40, 4, 3)}
SHAPES = Shapes("mobilenet_v2", (3, 6, 10), MAPS, (64, 48), 4)


def maps(count=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {tap: torch.randn(count, *shape, generator=generator) * 3 + 1 for tap, shape in MAPS.items()}


def trained():
    torch.manual_seed(0)
    network = DefectNetwork(SHAPES, 8, 2)
    for seed in range(5):  # so that running statistics are no longer zeros and ones
        network({tap: (m - 1) / 3 for tap, m in maps(4, seed).items()})
    return network.eval()


def test_folded_it_computes_the_same_on_features_as_they_are():
    network = trained()
    generator = np.random.default_rng(0)
    means = [torch.from_numpy(generator.normal(1, 1, c).astype(np.float32)) for c, _, _ in MAPS.values()]
    deviations = [torch.from_numpy(generator.uniform(0.5, 4, c).astype(np.float32)) for c, _, _ in MAPS.values()]
    inside = torch.zeros(3, 64, 48)
    inside[:, 10:50, 5:40] = 1
    found = maps(seed=9)
    scaled = {
        tap: (found[tap] - mean[:, None, None]) / deviation[:, None, None]
        for tap, mean, deviation in zip(MAPS, means, deviations, strict=True)
    }
    folded = network.folded(means, deviations)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        for more in ((), (inside,)):
            want, got = network(scaled, *more), folded(found, *more)
            if more:
                cells = folded.cells[-1](inside) > 0
                want, got = want[cells], got[cells]
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_it_counts_what_it_computes():
    network = DefectNetwork(SHAPES, 8, 2, norm=False)
    convolutions = module_macs(network, {tap: m[:1] for tap, m in maps().items()})
    spread = sum(8 * (16 * h * w + 16 * w * 12) for _, h, w in list(MAPS.values())[1:])
    assert network_macs(SHAPES, 8, 2) == convolutions + spread


def test_the_focal_loss_is_that_of_its_paper():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 4, generator=generator).double()
    target = (torch.rand(2, 5, 4, generator=generator) > 0.7).double()
    weight = torch.rand(2, 5, 4, generator=generator).double()
    right = torch.where(target > 0, torch.sigmoid(logits), 1 - torch.sigmoid(logits))
    want = (weight * -((1 - right) ** 2) * torch.log(right)).sum() / ((weight * target).sum() + 0.005 * weight.sum())
    torch.testing.assert_close(focal(logits, target, weight), want)
