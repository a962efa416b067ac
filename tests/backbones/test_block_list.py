"""Taps, trimming and splitting of a list of blocks."""

import pytest
import torch
from torch import nn

from flawspot.backbones.block_list import INPUT, BlockList, initialise, load_strictly
from flawspot.backbones.registry import create
from flawspot.errors import ConfigurationError, WeightsError


def blocks(count: int = 5) -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2)) for _ in range(count)]


X = torch.randn(1, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def test_the_list_ends_at_the_last_tap() -> None:
    network = BlockList("net", blocks(), [1, 3]).frozen()
    assert len(network.blocks) == 4
    assert network.last == 3
    assert list(network(X)) == [1, 3]


def test_layer_k_is_the_output_of_block_k() -> None:
    all_blocks = blocks()
    network = BlockList("net", all_blocks, range(5)).frozen()
    x = X
    for index, block in enumerate(all_blocks):
        x = block(x)
        torch.testing.assert_close(network(X)[index], x)


def test_the_input_is_a_layer_too() -> None:
    assert torch.equal(BlockList("net", blocks(), [INPUT, 2]).frozen()(X)[INPUT], X)


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_prefix_and_tail_make_the_whole(index: int) -> None:
    network = BlockList("net", blocks(), [1, 3, 4]).frozen()
    prefix, tail = network.split(index)
    assert (prefix.last, tail.start, tail.last) == (index, index + 1, 4)
    first = prefix(X)
    joined = {**first, **tail(first[index])}
    for tap in network.taps:
        torch.testing.assert_close(joined[tap], network(X)[tap])


@pytest.mark.parametrize("index", [-1, 4, 9])
def test_a_split_leaves_a_block_on_either_side(index: int) -> None:
    with pytest.raises(ConfigurationError, match="choose one of 0 to 3"):
        BlockList("net", blocks(), [4]).split(index)


@pytest.mark.parametrize(
    ("taps", "message"),
    [([], "no layers"), ([5], "0 to 4"), ([-2], "0 to 4"), ([3, 1], "write 1, 3"), ([2, 2], "ascending")],
)
def test_wrong_taps_are_refused_with_the_cure(taps: list[int], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        BlockList("net", blocks(), taps)


def test_loading_takes_exactly_the_right_tensors() -> None:
    network, other = nn.ModuleList(blocks()), nn.ModuleList(blocks())
    initialise(other, 7)
    load_strictly(network, other.state_dict(), source="a.pth")
    for name, tensor in other.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor)


def test_loading_names_the_first_three_faults() -> None:
    network = nn.ModuleList(blocks())
    tensors = dict(network.state_dict())
    del tensors["0.0.weight"]
    tensors["9.weight"] = torch.zeros(1)
    tensors["1.0.weight"] = torch.zeros(2, 2, 1, 1)
    tensors["2.0.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError) as caught:
        load_strictly(network, tensors, source="a.pth")
    for part in (
        "a.pth",
        "0.0.weight is missing",
        "9.weight is unexpected",
        "1.0.weight is 2x2x1x1, not 2x2x3x3",
        "1 more",
    ):
        assert part in str(caught.value)


def test_a_student_is_the_same_for_the_same_seed() -> None:
    one, two, three = (nn.ModuleList(blocks()) for _ in range(3))
    initialise(one, 1)
    initialise(two, 1)
    initialise(three, 2)
    assert torch.equal(one[0][0].weight, two[0][0].weight)
    assert not torch.equal(one[0][0].weight, three[0][0].weight)


def test_shapes_are_those_of_the_outputs():
    whole = create("mobilenet_v2", (-1, 3, 8)).frozen()
    with torch.no_grad():
        wanted = {tap: tuple(output.shape[1:]) for tap, output in whole(torch.zeros(1, 3, 64, 96)).items()}
    assert whole.shapes((64, 96)) == wanted
    with torch.device("meta"):
        assert create("mobilenet_v2", (-1, 3, 8)).frozen().shapes((64, 96)) == wanted
