"""What a batch says of the training: for progress, and for the alarm when everything falls on one point."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reid.learning.distances import at_least_float32, unit
from reid.learning.losses.margins import Terms, mean_of
from reid.learning.mining.pairs import Pairs


@dataclass(frozen=True)
class BatchStatistics:
    """0-d tensors on the device of the embeddings, without gradient: reading one is what waits for the device."""

    active_share: Tensor
    """Selected triplets whose loss is not zero, as a share of all selected; for a soft margin, those whose negative is
    not farther than the positive. 0 where none was selected."""
    mean_positive_distance: Tensor
    """Mean distance of the positive pairs, in the loss's distance; 0 without any."""
    mean_negative_distance: Tensor
    """Mean distance of the negative pairs; 0 without any."""
    mean_cosine: Tensor
    """Mean cosine of all pairs of rows, whatever they are; near 1 when all embeddings have become one."""


@torch.no_grad()
def batch_statistics(embeddings: Tensor, pairs: Pairs, found: Terms) -> BatchStatistics:
    """Statistics of (B, D) embeddings, their pairs and the terms that a loss found in them."""
    count = len(embeddings)
    rows = unit(at_least_float32(embeddings))  # (B, D)
    # sum over i != j of u_i.u_j = |sum of u|^2 - sum of |u|^2
    cosines = rows.sum(dim=0).square().sum() - rows.square().sum()
    share = found.active.to(rows.dtype) / found.selected.clamp_min(1).to(rows.dtype)
    return BatchStatistics(
        active_share=share,
        mean_positive_distance=mean_of(pairs.distances, pairs.same),
        mean_negative_distance=mean_of(pairs.distances, pairs.different),
        mean_cosine=cosines / max(1, count * (count - 1)),
    )
