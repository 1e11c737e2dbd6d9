"""Distances between rows of batches: in at least float32 whatever autocast says, with gradients that stay finite."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor

from reid.errors import InputError
from reid.learning.loss_choices import DistanceName

_CENTRE_ROWS = 32  # at least, where there are so many: unit vectors' own mean would save 3 % of a square

DISTANCES: tuple[DistanceName, ...] = get_args(DistanceName)


def pairwise(embeddings: Tensor, reference: Tensor | None = None, *, distance: DistanceName = "euclidean") -> Tensor:
    """(B, D) -> (B, B) distances between its rows, or with `reference` (C, D) -> (B, C) to those; 0 or more.

    float64 stays float64, everything else is computed and returned in float32.

    Raises:
        InputError: there is no such distance.
    """
    check_distance(distance)
    with torch.autocast(embeddings.device.type, enabled=False):
        rows = at_least_float32(embeddings)
        others = None if reference is None else at_least_float32(reference)
        if distance == "cosine":
            return 1 - _pairwise_cosine(rows, others)
        centre = _centre(rows.detach())  # distances do not change when all rows move together
        distances: Tensor = _PairwiseEuclidean.apply(  # type: ignore[no-untyped-call]
            rows - centre, None if others is None else others - centre, distance == "squared_euclidean"
        )
        return distances


def paired(first: Tensor, second: Tensor, *, distance: DistanceName = "euclidean") -> Tensor:
    """(..., D) and (..., D) -> (...) distances from each row to its partner, in at least float32.

    The gradient of a Euclidean distance between equal rows, which has no direction, is zero.

    Raises:
        InputError: there is no such distance.
    """
    check_distance(distance)
    with torch.autocast(first.device.type, enabled=False):
        first, second = at_least_float32(first), at_least_float32(second)
        if distance == "cosine":
            return (1 - (unit(first) * unit(second)).sum(dim=-1)).clamp_min(0)
        squared = (first - second).square().sum(dim=-1)
        if distance == "squared_euclidean":
            return squared
        zero = squared <= _smallest(squared)
        return torch.where(zero, 1.0, squared).sqrt().masked_fill(zero, 0.0)


def to_chosen(
    embeddings: Tensor, chosen: Tensor, reference: Tensor | None = None, *, distance: DistanceName = "euclidean"
) -> Tensor:
    """(B, D) and (B, R) int64 rows of it, or of `reference` (C, D) -> (B, R) distances of rows to their chosen ones.

    As `pairwise` gives them, for O(B R D) instead of O(B^2 D), and without its rounding.

    Raises:
        InputError: there is no such distance.
    """
    check_distance(distance)
    with torch.autocast(embeddings.device.type, enabled=False):
        rows = at_least_float32(embeddings)
        others = None if reference is None else at_least_float32(reference)
        if distance == "cosine":
            right = rows if others is None else others
            return paired(rows[:, None], right[chosen], distance=distance)
        distances: Tensor = _ChosenEuclidean.apply(  # type: ignore[no-untyped-call]
            rows, others, chosen, distance == "squared_euclidean"
        )
        return distances


def to_euclidean(distances: Tensor, distance: DistanceName) -> Tensor:
    """Distances of any kind between unit vectors -> their Euclidean distances, of the same shape."""
    if distance == "euclidean":
        return distances
    # |u - v|^2 = 2 (1 - u.v)
    squared = distances if distance == "squared_euclidean" else 2 * distances
    return squared.clamp_min(0).sqrt()


def check_distance(distance: str) -> None:
    """Refuse a name that is no distance.

    Raises:
        InputError: there is no such distance.
    """
    if distance not in DISTANCES:
        raise InputError(f"distance must be one of {', '.join(DISTANCES)}, got {distance!r}")


def at_least_float32(values: Tensor) -> Tensor:
    """The same values; float16 and bfloat16 become float32."""
    return values if values.dtype == torch.float64 else values.float()


def unit(rows: Tensor) -> Tensor:
    """(..., D) -> the same directions with length 1; a row of zeros stays zero and has the gradient zero."""
    square = rows.square().sum(dim=-1, keepdim=True)  # (..., 1)
    zero = square <= _smallest(square)
    return rows * torch.where(zero, 1.0, square).rsqrt().masked_fill(zero, 0.0)


def _centre(rows: Tensor) -> Tensor:
    """(B, D) -> (D,) a point around which squares lose few digits: amid the rows, found from some of them.

    The middle value of each column: neither a far row nor a row of zeros draws it away from all others.
    """
    rows = rows[:: max(1, len(rows) // _CENTRE_ROWS)]
    if not len(rows):
        return rows.new_zeros(rows.shape[1])
    # `median` does the same, but on CUDA not where deterministic algorithms are asked for
    return rows.sort(dim=0).values[len(rows) // 2]


def _smallest(values: Tensor) -> float:
    """The smallest normal number of the kind: below it quotients are no longer exact."""
    return torch.finfo(values.dtype).tiny


def _pairwise_cosine(rows: Tensor, others: Tensor | None) -> Tensor:
    """(B, D), (C, D) -> (B, C) cosines, -1 to 1."""
    left = unit(rows)
    right = left if others is None else unit(others)
    return (left @ right.T).clamp(-1, 1)


def refuse_second_gradient() -> None:
    """For backward functions that take what they saved as constants: a gradient of theirs would be wrong.

    Raises:
        RuntimeError: a graph of the gradient is asked for (`create_graph=True`).
    """
    if torch.is_grad_enabled():
        raise RuntimeError(
            "second gradients of this loss are not known: take a loss of all pairs, such as mining batch_all with a "
            "hinge, or the distance cosine"
        )


class _PairwiseEuclidean(torch.autograd.Function):
    """(Squared) distances with one matrix product forward and, among a batch's own rows, one backward.

    `|a - b|^2 = |a|^2 + |b|^2 - 2 a.b` is exact to about eps * (|a|^2 + |b|^2). Squares below that are rounding, and
    count as zero: their square root would be noise, and its gradient noise of length 1.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, others: Tensor | None, squared: bool) -> Tensor:
        """(B, D), (C, D) or None for the rows themselves -> (B, C)."""
        right = rows if others is None else others
        left_square, right_square = rows.square().sum(dim=1), right.square().sum(dim=1)  # (B,), (C,)
        values = left_square[:, None] + right_square[None, :]  # (B, C)
        values.addmm_(rows, right.T, alpha=-2)
        # where the distance is that small, |a|^2 and |b|^2 are as good as equal
        values.masked_fill_(values <= 2 * torch.finfo(rows.dtype).eps * left_square[:, None], 0.0)
        if not squared:
            values.sqrt_()
        if others is None:
            values.fill_diagonal_(0.0)
        ctx.save_for_backward(rows, right, None if squared else values)
        ctx.own_rows, ctx.squared = others is None, squared
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Of a distance: (a - b) / |a - b|; of its square: 2 (a - b)."""
        rows, right, distances = ctx.saved_tensors
        with torch.autocast(rows.device.type, enabled=False):
            if ctx.squared:
                weights = 2 * gradient
            else:
                zero = distances == 0
                weights = (gradient / torch.where(zero, 1.0, distances)).masked_fill(zero, 0.0)  # (B, C)
            if ctx.own_rows:
                weights = weights + weights.T
                # sum over b of w_ab (a - b)
                return torch.addmm(rows * weights.sum(dim=1)[:, None], weights, right, alpha=-1), None, None
            of_rows = torch.addmm(rows * weights.sum(dim=1)[:, None], weights, right, alpha=-1)
            of_right = torch.addmm(right * weights.sum(dim=0)[:, None], weights.T, rows, alpha=-1)
            return of_rows, (of_right if ctx.needs_input_grad[1] else None), None


class _ChosenEuclidean(torch.autograd.Function):
    """(Squared) distances of rows to a few other rows each, by differences; automatic differentiation is slower."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, others: Tensor | None, chosen: Tensor, squared: bool) -> Tensor:
        """(B, D), (C, D) or None for the rows themselves, (B, R) -> (B, R)."""
        right = rows if others is None else others
        picked = right.index_select(0, chosen.flatten()).reshape(*chosen.shape, -1)  # (B, R, D)
        difference = rows[:, None] - picked
        values: Tensor = torch.linalg.vector_norm(difference, dim=2)  # (B, R)
        ctx.save_for_backward(difference, chosen, values)
        ctx.own_rows, ctx.squared, ctx.columns = others is None, squared, len(right)
        return values.square() if squared else values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Of a distance: (a - b) / |a - b|; of its square: 2 (a - b)."""
        refuse_second_gradient()
        difference, chosen, values = ctx.saved_tensors
        if ctx.squared:
            weights = 2 * gradient
        else:
            zero = values <= _smallest(values)
            weights = (gradient / torch.where(zero, 1.0, values)).masked_fill(zero, 0.0)  # (B, R)
        pull = difference * weights[:, :, None]  # (B, R, D)
        of_rows, push, places = pull.sum(dim=1), pull.flatten(0, 1), chosen.flatten()
        if ctx.own_rows:
            return of_rows.index_add(0, places, push, alpha=-1), None, None, None
        if not ctx.needs_input_grad[1]:
            return of_rows, None, None, None
        of_right = of_rows.new_zeros((ctx.columns, of_rows.shape[1])).index_add(0, places, push, alpha=-1)
        return of_rows, of_right, None, None
