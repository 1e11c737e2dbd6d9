"""Negatives that are farther than the positive, but not by the margin yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from reid.errors import InputError
from reid.learning.mining.pairs import Pairs, Triplets, all_columns, farthest, nearest

SemiHardFallback = Literal["none", "hardest", "farthest"]


@dataclass(frozen=True)
class SemiHard:
    """For each positive pair the nearest negative n with d(a, p) < d(a, n) < d(a, p) + margin.

    Source: Schroff, Kalenichenko, Philbin 2015, "FaceNet", section 3.2, which leaves open what a pair without such a
    negative does: that is `fallback`.
    """

    margin: float = 0.3
    """Width of the band beyond the positive, in the loss's distance; `inf` for a soft margin."""
    fallback: SemiHardFallback = "none"
    """Where no negative lies in the band: `none` leaves the pair out, `hardest` takes the anchor's nearest negative,
    `farthest` its farthest."""

    def __post_init__(self) -> None:
        if not self.margin > 0:
            raise InputError(f"margin must be above 0, got {self.margin!r}")
        if self.fallback not in get_args(SemiHardFallback):
            allowed = ", ".join(get_args(SemiHardFallback))
            raise InputError(f"fallback must be one of {allowed}, got {self.fallback!r}")

    def __call__(self, pairs: Pairs) -> Triplets:
        """One triplet for each positive pair that has a negative to go with; slot p is column p."""
        gap, negative = next_farther_negative(pairs, self.margin)  # (B, C)
        found = pairs.same & (gap < pairs.distances + self.margin)
        if self.fallback == "none":
            return Triplets(all_columns(pairs), negative, found)
        end = nearest if self.fallback == "hardest" else farthest
        other = end(pairs, pairs.different)[1][:, None]  # (B, 1)
        negative = torch.where(found, negative, other)
        return Triplets(all_columns(pairs), negative, pairs.same & pairs.different.gather(1, other))


@dataclass(frozen=True)
class TensorFlowAddonsSemiHard:
    """For each positive pair the nearest negative that is farther than the positive, or else the farthest of all.

    The variant of `tfa.losses.TripletSemiHardLoss`. There is no upper bound on the negative: beyond the margin the
    hinge is zero, yet such pairs count in the mean.
    """

    def __call__(self, pairs: Pairs) -> Triplets:
        """One triplet for each positive pair whose anchor has a negative; slot p is column p."""
        return SemiHard(margin=float("inf"), fallback="farthest")(pairs)


def next_farther_negative(pairs: Pairs, margin: float) -> tuple[Tensor, Tensor]:
    """For each positive pair the nearest negative beyond the positive: its distance and its column, both (B, C).

    The distance is `inf` where there is none up to `margin` beyond. Entries of pairs that are not positive mean
    nothing. Negatives are sorted once a row, and each positive looks its place up: O(B^2 log B) time, O(B^2) memory.
    """
    distances = pairs.distances
    reach, _ = farthest(pairs, pairs.same)  # (B,)
    # a negative beyond every positive's band is nobody's: as inf it costs the sort nothing
    wanted = pairs.different & (distances < (reach + margin)[:, None])
    ordered, columns = torch.where(wanted, distances, float("inf")).sort(dim=1)  # (B, C), (B, C)
    # negatives at or before each positive; other entries look for -inf, which is quick
    place = torch.searchsorted(ordered, torch.where(pairs.same, distances, float("-inf")), right=True)  # (B, C)
    place = place.clamp_max_(distances.shape[1] - 1)
    gap = ordered.gather(1, place)
    # past the last column there is none; clamping may have met an equal or nearer one instead
    return gap.masked_fill_(gap <= distances, float("inf")), columns.gather(1, place)
