"""The easiest positive of each anchor, with a negative that makes it work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from reid.errors import InputError
from reid.learning.mining.pairs import Pairs, Triplets, nearest, one_each

EasyPositiveNegative = Literal["hard", "semi_hard"]


@dataclass(frozen=True)
class EasyPositive:
    """For each anchor its nearest positive: a class may then be many clusters instead of one.

    Source: Xuan, Stylianou, Pless 2020, "Improved Embeddings with Easy Positive Triplet Mining", section 3 (EPHN and
    EPSHN).
    """

    negative: EasyPositiveNegative = "hard"
    """`hard`: the nearest negative; `semi_hard`: the nearest negative that is farther than the positive, and no triplet
    where there is none."""

    def __post_init__(self) -> None:
        if self.negative not in get_args(EasyPositiveNegative):
            raise InputError(f"negative must be hard or semi_hard, got {self.negative!r}")

    def __call__(self, pairs: Pairs) -> Triplets:
        """One triplet for each anchor that has both."""
        reach, positive = nearest(pairs, pairs.same)
        allowed = pairs.different
        if self.negative == "semi_hard":
            allowed = allowed & (pairs.distances > reach[:, None])
        _, negative = nearest(pairs, allowed)
        return one_each(pairs, positive, negative, allowed)
