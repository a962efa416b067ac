"""The k smallest of each row against a full sort."""

import pytest
import torch

from flawspot.methods.cfa.smallest import smallest


@pytest.mark.parametrize("columns", [3136, 200, 196, 50, 7])
@pytest.mark.parametrize("k", [1, 6])
def test_equals_a_sort(columns: int, k: int) -> None:
    values = torch.randn(30, columns, generator=torch.Generator().manual_seed(0))
    assert torch.equal(smallest(values, k), values.argsort(dim=1)[:, :k])


def test_equal_values_are_counted_each() -> None:
    values = torch.zeros(4, 400)
    values[:, 17:20] = -1.0
    found = smallest(values, 3)
    assert torch.equal(found.sort(dim=1).values, torch.tensor([17, 18, 19]).expand(4, -1))
    assert all(len(set(row.tolist())) == 6 for row in smallest(values, 6))
