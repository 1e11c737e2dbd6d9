"""Pairs alone: positives together, negatives apart."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from reid.errors import InputError
from reid.learning.distances import pairwise
from reid.learning.loss_choices import DistanceName, Reduction
from reid.learning.losses.margins import check_reduction, mean_of, not_a_number_of
from reid.learning.relations import resolve_masks


def contrastive_loss(
    embeddings: Tensor,
    labels: Tensor | None = None,
    *,
    relations: Tensor | None = None,
    reference: Tensor | None = None,
    margin: float = 1.0,
    positive_margin: float = 0.0,
    squared: bool = True,
    distance: DistanceName = "euclidean",
    reduction: Reduction = "mean",
) -> Tensor:
    """Mean over positive pairs of [d - positive_margin]+^2 plus mean over negative pairs of [margin - d]+^2; 0-d.

    The two kinds have a mean each, because a batch has many more negative pairs than positive ones. `squared=False`
    leaves out the squares; `reduction="nonzero"` takes each mean over the pairs whose loss is not zero.

    `embeddings` (B, D) with `labels` (B,) or `relations` (B, B); or against `reference` (C, D) with `relations` (B, C).

    Source: Hadsell, Chopra, LeCun 2006, "Dimensionality Reduction by Learning an Invariant Mapping", eq. 4, without its
    factor 1/2; the positive margin as in common use.

    Raises:
        InputError: an argument is not what it must be.
    """
    if not 0 <= positive_margin < margin < float("inf"):
        raise InputError(f"margins must be 0 <= positive_margin < margin, finite, got {positive_margin} and {margin}")
    check_reduction(reduction)
    same, different = resolve_masks(embeddings, labels, relations, reference)
    distances = pairwise(embeddings, reference, distance=distance)  # (B, C)
    near = functional.relu(distances - positive_margin)
    far = functional.relu(margin - distances)
    if reduction == "nonzero":
        same, different = same & (near > 0), different & (far > 0)
    if squared:
        near, far = near.square(), far.square()
    return mean_of(near, same) + mean_of(far, different) + not_a_number_of(embeddings)
