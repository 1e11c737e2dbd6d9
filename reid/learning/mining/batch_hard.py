"""The hardest triplet of each anchor."""

from __future__ import annotations

from dataclasses import dataclass

from reid.learning.mining.pairs import Pairs, Triplets, farthest, nearest, one_each


@dataclass(frozen=True)
class BatchHard:
    """For each anchor its farthest positive and its nearest negative.

    Source: Hermans, Beyer, Leibe 2017, "In Defense of the Triplet Loss for Person Re-Identification", eq. 5.
    """

    def __call__(self, pairs: Pairs) -> Triplets:
        """One triplet for each anchor that has both a positive and a negative."""
        _, positive = farthest(pairs, pairs.same)
        _, negative = nearest(pairs, pairs.different)
        return one_each(pairs, positive, negative)
