"""One training step, counted without numbers, against torch's own counter and against a real step."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from flawspot.backbones.autograd import step_costs
from flawspot.backbones.registry import create, families, family


class Small(nn.Module):
    """Two convolutions, the first on the photograph, and what lies between."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 4, 1, bias=False)
        )

    def forward(self, x: torch.Tensor) -> dict[int, torch.Tensor]:
        return {0: self.net(x)}


def test_macs_are_those_of_torchs_counter() -> None:
    network, x = Small(), torch.zeros(2, 3, 10, 10)
    step = step_costs(network, x)
    with FlopCounterMode(display=False) as counter:
        network(x)[0].sum().backward()
    assert 2 * (step.forward_macs + step.backward_input_macs + step.backward_weight_macs) == counter.get_total_flops()
    assert step.forward_macs == step.backward_weight_macs == 2 * 100 * (3 * 9 * 8 + 8 * 4)
    assert step.backward_input_macs == 2 * 100 * 8 * 4  # none to the photograph


def test_what_is_kept_by_hand() -> None:
    step = step_costs(Small(), torch.zeros(2, 3, 10, 10))
    pixels = 4 * 2 * 100
    # Inputs of both convolutions, of batch norm and of ReLU6; batch norm's mean and deviation of the batch.
    numbers = pixels * (3 + 8 + 8 + 8) + 2 * 4 * 8
    # Its running statistics are kept as well, where they are.
    assert step.saved_bytes == numbers + 2 * 4 * 8
    assert step.largest_gradient_bytes == pixels * 16


@pytest.mark.parametrize("name", families())
def test_nothing_depends_on_the_device(name: str) -> None:
    steps = []
    for device in ("meta", "cpu"):
        with torch.device(device):
            network = create(name, family(name).layer_groups["equiv"])
            x = torch.zeros(2, 3, 64, 64)
        steps.append(step_costs(network, x))
    assert steps[0] == steps[1]
    assert steps[0].saved_bytes > 0


def test_the_mode_is_left_as_it_was() -> None:
    network = Small().eval()
    step_costs(network, torch.zeros(2, 3, 10, 10))
    assert not network.training
    assert not network.net[0]._forward_hooks
