"""The chunked search against all distances at once."""

import numpy as np
import pytest
import torch

from flawspot.methods.patchcore.nearest import NearestNeighbour


def as_map(queries: torch.Tensor) -> dict[tuple[int, int], torch.Tensor]:
    """(Q, C) with Q a square number -> one photograph's map."""
    side = round(len(queries) ** 0.5)
    return {(side, side): queries.T.reshape(1, -1, side, side)}


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_equals_brute_force(chunk: int) -> None:
    generator = torch.Generator().manual_seed(0)
    bank = torch.randn(300, 12, generator=generator)
    queries = torch.randn(49, 12, generator=generator)
    distance, index = NearestNeighbour(bank.numpy(), [(7, 7)], chunk=chunk)(as_map(queries))
    everything = (queries[:, None].double() - bank[None].double()).norm(dim=2)
    assert torch.equal(index[0], everything.argmin(1))
    torch.testing.assert_close(distance[0].double(), everything.min(1).values, rtol=1e-6, atol=1e-6)


def test_small_distances_far_from_the_origin_keep_their_digits() -> None:
    bank = torch.tensor([[1000.0, 1000.0], [1010.0, 1000.0], [900.0, 1000.0], [1000.0, 900.0]])
    queries = bank + torch.tensor([[0.25, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.5]])
    distance, _ = NearestNeighbour(bank.numpy(), [(2, 2)])(as_map(queries))
    np.testing.assert_allclose(distance[0], [0.25, 0.0, 0.0, 0.5])


@pytest.mark.parametrize("shape", [(0, 3), (3,)])
def test_a_bank_must_have_rows(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a bank is"):
        NearestNeighbour(np.zeros(shape, np.float32), [(1, 1)])
