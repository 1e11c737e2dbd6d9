"""Distances between all rows of a batch, safe under autocast and where two rows are equal."""

from __future__ import annotations

import torch
from torch import Tensor

_TINY = 1e-12  # squared distances up to this count as zero: float32 rounding of unit vectors is about 1e-7


def pairwise_squared_euclidean(embeddings: Tensor) -> Tensor:
    """(B, D) -> (B, B) squared distances, 0 or more, in at least float32 whatever autocast says."""
    with torch.autocast(embeddings.device.type, enabled=False):
        rows = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
        square = (rows * rows).sum(dim=1)  # (B,)
        # |a - b|^2 = |a|^2 + |b|^2 - 2 a.b
        return (square[:, None] + square[None, :] - 2 * rows @ rows.T).clamp_min(0)


def pairwise_euclidean(embeddings: Tensor) -> Tensor:
    """(B, D) -> (B, B) distances. The gradient at distance zero, which sqrt has not, is zero."""
    squared = pairwise_squared_euclidean(embeddings)
    zero = squared <= _TINY
    return torch.where(zero, 1.0, squared).sqrt().masked_fill(zero, 0.0)
