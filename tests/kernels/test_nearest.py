"""The chunked search against all distances at once."""

import numpy as np
import pytest
import torch

from flawspot.kernels.nearest import NearestNeighbour


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_equals_brute_force(chunk: int) -> None:
    generator = torch.Generator().manual_seed(0)
    bank = torch.randn(300, 12, generator=generator)
    queries = torch.randn(50, 12, generator=generator)
    distance, index = NearestNeighbour(bank, chunk)(queries)
    everything = (queries[:, None].double() - bank[None].double()).norm(dim=2)
    assert torch.equal(index, everything.argmin(1))
    torch.testing.assert_close(distance.double(), everything.min(1).values, rtol=1e-6, atol=1e-6)


def test_small_distances_far_from_the_origin_keep_their_digits() -> None:
    bank = torch.tensor([[1000.0, 1000.0], [1010.0, 1000.0]])
    queries = bank + torch.tensor([[0.25, 0.0], [0.0, 0.0]])
    distance, _ = NearestNeighbour(bank)(queries)
    np.testing.assert_allclose(distance, [0.25, 0.0])


@pytest.mark.parametrize("shape", [(0, 3), (3,)])
def test_a_bank_must_have_rows(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a bank is"):
        NearestNeighbour(torch.zeros(shape))
