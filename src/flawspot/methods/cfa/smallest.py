"""Where the k smallest values of each row are."""

from __future__ import annotations

import torch
from torch import Tensor

MEMBERS = 8
"""Columns compared at once before the selection proper, an even vectorized minimum."""


def smallest(values: Tensor, k: int, members: int = MEMBERS) -> Tensor:
    """(R, k) int64: indices of the k smallest of each row of (R, M), ascending by value; M in groups of `members`.

    The k smallest lie in the k groups of columns whose minima are smallest: were one in another group, these k minima
    and it would be k + 1 values no larger. So only the groups' minima and the members of k groups are selected from,
    which halves the time of ``topk`` over some thousand columns.
    """
    rows, columns = values.shape
    groups = columns // members
    if columns % members or groups <= 2 * k:
        return values.topk(k, dim=1, largest=False).indices
    minima = values.reshape(rows, members, groups).amin(1)  # (R, groups)
    best = minima.topk(k, dim=1, largest=False).indices  # (R, k)
    first = torch.arange(0, columns, groups, device=values.device)  # (members,)
    candidates = (best[:, None] + first[:, None]).reshape(rows, -1)  # (R, members * k)
    chosen = values.gather(1, candidates).topk(k, dim=1, largest=False).indices
    return candidates.gather(1, chosen)
