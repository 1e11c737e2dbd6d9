"""Losses over a batch of embeddings with labels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from reid.errors import InputError
from reid.learning.distances import pairwise_euclidean


def batch_hard_triplet_loss(embeddings: Tensor, labels: Tensor, *, margin: float | Literal["soft"] = 0.3) -> Tensor:
    """Mean over anchors of [margin + farthest positive - nearest negative], or of its softplus without a margin.

    `embeddings` (B, D), `labels` (B,) -> scalar, at least float32. Anchors without a positive or without a negative are
    left out; where none remains the loss is zero and still has a (zero) gradient.

    Source: Hermans, Beyer, Leibe 2017, "In Defense of the Triplet Loss for Person Re-Identification", eq. 5; the soft
    margin is that of their section 2.

    Raises:
        InputError: shapes do not fit, or the margin is neither "soft" nor a finite number above 0.
    """
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        shapes = f"{tuple(embeddings.shape)} and {tuple(labels.shape)}"
        raise InputError(f"embeddings must be (B, D) and labels (B,), got {shapes}")
    if margin != "soft" and not (isinstance(margin, int | float) and 0 < margin < float("inf")):
        raise InputError(f'margin must be "soft" or a finite number above 0, got {margin!r}')
    distance = pairwise_euclidean(embeddings)  # (B, B)
    same = labels[:, None] == labels[None, :]  # (B, B)
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    farthest = distance.masked_fill(~positive, float("-inf")).amax(dim=1)  # (B,)
    nearest = distance.masked_fill(same, float("inf")).amin(dim=1)  # (B,)
    valid = positive.any(dim=1) & (~same).any(dim=1)  # (B,)
    difference = torch.where(valid, farthest - nearest, 0.0)
    penalty = functional.softplus(difference) if margin == "soft" else functional.relu(difference + margin)
    # a product with 0 instead of a selection: an empty batch keeps its gradient path
    return (penalty * valid).sum() / valid.sum().clamp_min(1) + 0.0 * distance.sum()
