"""Every triplet of a batch, or every hard one: too many to list, so that losses sum over them without listing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reid.learning.mining.pairs import Pairs


@dataclass(frozen=True)
class BatchAll:
    """Every valid triplet.

    Source: Hermans, Beyer, Leibe 2017, "In Defense of the Triplet Loss for Person Re-Identification", eq. 6; their
    "batch all, non-zero" is this with the reduction `nonzero`.
    """

    only_hard = False

    def listed(self, pairs: Pairs) -> Tensor:
        """(T, 3) int64 rows of anchor, positive and negative: up to B^3 of them."""
        return _listed(pairs, only_hard=False)


@dataclass(frozen=True)
class Hard:
    """Every valid triplet whose negative is not farther than its positive: those that are in the wrong order.

    Source: the division into easy, semi-hard and hard triplets of Schroff, Kalenichenko, Philbin 2015, "FaceNet".
    """

    only_hard = True

    def listed(self, pairs: Pairs) -> Tensor:
        """(T, 3) int64 rows of anchor, positive and negative."""
        return _listed(pairs, only_hard=True)


Exhaustive = BatchAll | Hard


def _listed(pairs: Pairs, *, only_hard: bool) -> Tensor:
    anchor, positive = pairs.same.nonzero(as_tuple=True)  # (P,)
    allowed = pairs.different[anchor]  # (P, C)
    if only_hard:
        allowed = allowed & (pairs.distances[anchor] <= pairs.distances[anchor, positive][:, None])
    pair, negative = allowed.nonzero(as_tuple=True)  # (T,)
    return torch.stack((anchor[pair], positive[pair], negative), dim=1)
