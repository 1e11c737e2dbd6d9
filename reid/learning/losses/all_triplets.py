"""Sums over all B^3 triplets of a batch in O(B^2) memory, exact in value and gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from reid.learning.distances import refuse_second_gradient
from reid.learning.loss_choices import Margin
from reid.learning.losses.margins import Terms

_TILE = 1 << 22
"""Triplets in memory at once under a soft margin (16 MB of float32), unless one anchor alone has more."""


def all_triplets(
    distances: Tensor,
    same: Tensor,
    different: Tensor,
    *,
    margin: Margin,
    only_hard: bool = False,
    margins: Tensor | None = None,
    most_positives: int | None = None,
) -> Terms:
    """Terms of every triplet, or of those with d(a, n) <= d(a, p).

    `distances` (B, C) with gradient, `same` and `different` (B, C) bool. `margins` (B, C): an additional hinge margin
    of each negative. `most_positives`: no anchor has more (for the soft margin on a GPU, see `_most_positives`).
    """
    if margin == "soft":
        return _soft(distances, same, different, only_hard, most_positives)
    return _hinge(distances, same, different, margin, only_hard, margins)


def _hinge(
    distances: Tensor, same: Tensor, different: Tensor, margin: float, only_hard: bool, margins: Tensor | None
) -> Terms:
    """Sum over active triplets of (d_ap + margin) - d_an, from how often each distance takes part.

    The active triplets of a pair (a, p) are the k_p negatives below its threshold; those of (a, n) the c_n positives
    whose threshold is above it. Both counts come from one sort of the negatives of each row. The sum is then linear in
    the distances, sum_p k_p (d_ap + margin) - sum_n c_n d_an, and its gradient is what automatic differentiation of a
    linear function gives: the counts.
    """
    with torch.no_grad():
        values = distances if margins is None else distances - margins  # (B, C)
        thresholds = distances if only_hard else distances + margin  # (B, C)
        of_positives, of_negatives = _active_counts(thresholds, values, same, different, or_equal=only_hard)
        active = of_positives.sum()  # an integer: there are more than float32 can count
        weights = of_positives - of_negatives  # (B, C)
        constant = margin * active.to(distances.dtype)
        if margins is not None:
            constant = constant + (of_negatives * margins).sum()
    total = (distances * weights).sum() + constant
    selected = active if only_hard else (same.sum(dim=1) * different.sum(dim=1)).sum()
    return Terms(total, selected, active)


def _active_counts(
    thresholds: Tensor, values: Tensor, same: Tensor, different: Tensor, *, or_equal: bool
) -> tuple[Tensor, Tensor]:
    """For each positive the negatives of its row below its threshold, for each negative the thresholds above: how many.

    All (B, C), 0 for other pairs; the first of integers, the other of floats, which are exact up to 2^24. `or_equal`:
    equal counts as below.
    """
    queries = torch.where(same, thresholds, float("-inf"))  # -inf is found at once
    top = queries.amax(dim=1, keepdim=True)  # (B, 1)
    # negatives above every threshold take no part; all inf, they cost the sort little
    ordered, columns = torch.where(different & (values <= top), values, float("inf")).sort(dim=1)
    # number of negatives below each threshold
    below = torch.searchsorted(ordered, queries, right=or_equal)  # (B, C) 0..C
    del ordered, queries
    # how many thresholds see exactly so many negatives, then how many see more than r: those above the r-th negative
    seen = same.new_zeros((len(same), same.shape[1] + 1), dtype=values.dtype)  # (B, C + 1)
    seen.scatter_add_(1, below, same.to(values.dtype))
    above = same.sum(dim=1, keepdim=True) - seen.cumsum(dim=1)[:, :-1]  # (B, C) by rank
    of_negatives = torch.empty_like(values).scatter_(1, columns, above)
    return below.mul_(same), of_negatives


def _soft(distances: Tensor, same: Tensor, different: Tensor, only_hard: bool, most_positives: int | None) -> Terms:
    total, selected, active = _SoftMargin.apply(  # type: ignore[no-untyped-call]
        distances, same, different, only_hard, most_positives
    )
    return Terms(total, selected, active)


class _SoftMargin(torch.autograd.Function):
    """Sum of softplus(d_ap - d_an) tile by tile of anchors; the gradient of a tile is taken while it is in memory."""

    @staticmethod
    def forward(
        ctx: Any, distances: Tensor, same: Tensor, different: Tensor, only_hard: bool, most_positives: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sum, number of triplets, number of hard ones: 0-d."""
        rows, columns = distances.shape
        slots = _most_positives(same) if most_positives is None else min(most_positives, columns)
        step = max(1, _TILE // max(1, slots * columns))
        weights = torch.zeros_like(distances)  # (B, C) the gradient
        total = distances.new_zeros(())
        selected = active = same.new_zeros((), dtype=torch.int64)
        for start in range(0, rows, step):
            tile = slice(start, start + step)
            value, count, hard = _soft_tile(
                distances[tile], same[tile], different[tile], weights[tile], slots, only_hard
            )
            total, selected, active = total + value, selected + count, active + hard
        ctx.save_for_backward(weights)
        ctx.mark_non_differentiable(selected, active)
        return total, selected, active

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """The sigmoid of each triplet's difference, summed in forward for each pair."""
        refuse_second_gradient()
        (weights,) = ctx.saved_tensors
        return gradient * weights, None, None, None, None


def _most_positives(same: Tensor) -> int:
    """The most positives of an anchor, (B, C) bool; C where that is not to be known without waiting for a device.

    Only what computes at once tells for free: a CPU, outside of graphs, whose tensors have no values yet.
    """
    if torch.compiler.is_compiling() or type(same) is not Tensor or same.device.type != "cpu":
        return same.shape[1]
    return int(same.sum(dim=1).max())


def _soft_tile(
    distances: Tensor, same: Tensor, different: Tensor, weights: Tensor, slots: int, only_hard: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Sum, number and number of hard triplets of r anchors; adds the gradient to `weights`. All arguments (r, C)."""
    taken, columns = same.to(torch.int8).topk(slots, dim=1)  # (r, P) the positives first
    difference = distances.gather(1, columns)[:, :, None] - distances[:, None, :]  # (r, P, C)
    counted = taken.bool()[:, :, None] & different[:, None, :]  # (r, P, C)
    hard = counted & (difference >= 0)
    if only_hard:
        counted = hard
    slope = difference.sigmoid().masked_fill_(~counted, 0.0)
    weights.sub_(slope.sum(dim=1)).scatter_add_(1, columns, slope.sum(dim=2))
    del slope
    value = functional.softplus(difference).masked_fill_(~counted, 0.0).sum()
    return value, counted.sum(), hard.sum()
