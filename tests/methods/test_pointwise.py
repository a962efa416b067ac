"""The quick way computes what the plain one does."""

import platform

import pytest
import torch
from torch import nn

from flawspot.methods.pointwise import quick_pointwise

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def network():
    torch.manual_seed(0)
    depthwise = nn.Conv2d(96, 96, 3, padding=1, groups=96)
    return nn.Sequential(nn.Conv2d(16, 96, 1), nn.ReLU6(), depthwise, nn.Conv2d(96, 24, 1, stride=2))


def passed(network, maps):
    network.zero_grad()
    maps = maps.clone().requires_grad_(True)
    output = network(maps)
    output.square().sum().backward()
    return [output.detach(), maps.grad, *(parameter.grad.clone() for parameter in network.parameters())]


def test_outputs_and_gradients_are_those_of_the_plain_way(network):
    maps = torch.randn(4, 16, 28, 28).contiguous(memory_format=torch.channels_last)
    want = passed(network, maps)
    with quick_pointwise(network):
        got = passed(network, maps)
    for one, other in zip(got, want, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="only there is it quicker")
def test_only_kernels_of_one_point_are_changed_and_only_meanwhile(network):
    with pytest.raises(ZeroDivisionError), quick_pointwise(network):
        assert [network[index].dilation for index in (0, 2, 3)] == [(2, 2), (1, 1), (2, 2)]
        _ = 1 / 0
    assert {network[index].dilation for index in (0, 2, 3)} == {(1, 1)}


def test_with_more_threads_torch_does_so_itself(network):
    torch.set_num_threads(2)
    with quick_pointwise(network):
        assert network[0].dilation == (1, 1)


def test_elsewhere_nothing_is_changed(network, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with quick_pointwise(network):
        assert network[0].dilation == (1, 1)
