"""Finds the indices of the k smallest values of each row."""

from __future__ import annotations

import torch
from torch import Tensor

MEMBERS = 8
"""Columns in a group. The minimum of each group, a vectorized operation, comes before the actual selection."""


def smallest(values: Tensor, k: int, members: int = MEMBERS) -> Tensor:
    """(R, k) int64: indices of the k smallest of each row of (R, M), ascending by value; M in groups of `members`.

    The k smallest values are in the k groups of columns with the smallest minima. If one were in another group, these k
    minima would be no larger than it, so that k other values would do. So ``topk`` is applied only to the groups'
    minima and to the members of k groups, which halves its time over some thousand columns.
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
