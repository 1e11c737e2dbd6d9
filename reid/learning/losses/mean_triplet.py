"""Mean positive distance against mean negative distance: the multi-sample formula."""

from __future__ import annotations

from torch import Tensor

from reid.learning.distances import pairwise
from reid.learning.loss_choices import DistanceName, Margin, Reduction, check_margin
from reid.learning.losses.margins import check_reduction, not_a_number_of, terms
from reid.learning.relations import resolve_masks


def mean_triplet_loss(
    embeddings: Tensor,
    labels: Tensor | None = None,
    *,
    relations: Tensor | None = None,
    reference: Tensor | None = None,
    margin: Margin = 0.3,
    distance: DistanceName = "euclidean",
    reduction: Reduction = "mean",
) -> Tensor:
    """Mean over anchors of [margin + mean over p of d(a, p) - mean over n of d(a, n)]+; 0-d.

    The hinge comes after the means, so that one far negative makes up for a near one: this is not batch-all, which
    takes the hinge of each triplet. Anchors without a positive or a negative are left out.

    `embeddings` (B, D) with `labels` (B,) or `relations` (B, B); or against `reference` (C, D) with `relations` (B, C).

    Source: the form in which introductions write the triplet loss for several positives and negatives an anchor.

    Raises:
        InputError: an argument is not what it must be.
    """
    check_margin(margin)
    check_reduction(reduction)
    same, different = resolve_masks(embeddings, labels, relations, reference)
    distances = pairwise(embeddings, reference, distance=distance)  # (B, C)
    difference = _row_means(distances, same) - _row_means(distances, different)  # (B,)
    valid = same.any(dim=1) & different.any(dim=1)
    return terms(difference, valid, margin).reduced(reduction, margin) + not_a_number_of(embeddings)


def _row_means(distances: Tensor, mask: Tensor) -> Tensor:
    """(B, C) -> (B,) mean of the marked entries of each row, 0 without any."""
    return (distances * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1)
