"""From differences of distances to a loss: hinge or soft margin, and the mean over what was selected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor
from torch.nn import functional

from reid.errors import InputError
from reid.learning.distances import at_least_float32
from reid.learning.loss_choices import Margin, Reduction


@dataclass(frozen=True)
class Terms:
    """The sum over many terms of a loss, and how many there are. All are 0-d tensors."""

    total: Tensor
    """Sum of the terms, with gradient."""
    selected: Tensor
    """Number of terms."""
    active: Tensor
    """Number of terms that are not zero; for a soft margin, of negatives not farther than their positive."""

    def reduced(self, reduction: Reduction, margin: Margin) -> Tensor:
        """The mean; zero, still with its gradient path, where nothing was selected."""
        count = self.active if reduction == "nonzero" and margin != "soft" else self.selected
        return self.total / count.clamp_min(1).to(self.total.dtype)


def penalty(difference: Tensor, margin: Margin) -> Tensor:
    """d(a, p) - d(a, n), any shape -> the loss of each triplet, of the same shape."""
    if margin == "soft":
        return functional.softplus(difference)
    return functional.relu(difference + margin)


def terms(difference: Tensor, valid: Tensor, margin: Margin) -> Terms:
    """d(a, p) - d(a, n) of triplets and whether they count, of one shape -> their terms."""
    losses = penalty(difference, margin).masked_fill(~valid, 0.0)
    active = (difference >= 0 if margin == "soft" else losses > 0) & valid
    return Terms(losses.sum(), valid.sum(), active.sum())


def not_a_number_of(embeddings: Tensor) -> Tensor:
    """Zero; not a number where an embedding is not finite, which masks and comparisons would otherwise hide. 0-d."""
    return 0.0 * at_least_float32(embeddings.detach()).sum()


def check_reduction(reduction: str) -> None:
    """Refuse what is no reduction.

    Raises:
        InputError: it is neither "mean" nor "nonzero".
    """
    if reduction not in get_args(Reduction):
        raise InputError(f"reduction must be mean or nonzero, got {reduction!r}")


def mean_of(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of the valid values; zero where there are none. Both of one shape; -> 0-d."""
    return torch.where(valid, values, 0.0).sum() / valid.sum().clamp_min(1).to(values.dtype)
