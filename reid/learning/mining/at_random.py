"""Triplets drawn at random."""

from __future__ import annotations

from torch import Tensor

from reid.errors import InputError
from reid.learning.mining.draws import Draws, choose
from reid.learning.mining.pairs import Pairs, Triplets


class Random(Draws):
    """For each anchor some positives and negatives, each equally likely, with replacement.

    Args:
        per_anchor: Triplets for each anchor.
        seed: Of the draws.

    Raises:
        InputError: fewer than one triplet for each anchor.
    """

    def __init__(self, *, per_anchor: int = 1, seed: int = 0) -> None:
        if per_anchor < 1:
            raise InputError(f"per_anchor must be at least 1, got {per_anchor}")
        super().__init__(seed)
        self.per_anchor = per_anchor

    def forward(self, pairs: Pairs) -> Triplets:
        """`per_anchor` triplets for each anchor that has both a positive and a negative."""
        positive, with_positive = self._draw(pairs.same, pairs.distances)
        negative, with_negative = self._draw(pairs.different, pairs.distances)
        return Triplets(positive, negative, with_positive & with_negative)

    def _draw(self, mask: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C) mask -> (B, R) columns of it, and (B, R) whether the row has any."""
        cumulated = mask.cumsum(dim=1, dtype=like.dtype)  # (B, C)
        column = choose(cumulated, self.uniform(len(mask), self.per_anchor, like=like))
        return column, mask.any(dim=1, keepdim=True).expand_as(column)
