"""Bounds on the triplet loss through class centres: linear in the batch where triplets are cubic."""

from __future__ import annotations

import torch
from torch import Tensor

from reid.errors import InputError
from reid.learning.distances import at_least_float32, pairwise
from reid.learning.loss_choices import check_margin
from reid.learning.losses.all_triplets import all_triplets
from reid.learning.losses.margins import not_a_number_of
from reid.learning.relations import check_labels, relations_between, resolve_masks


def centroid_bound_loss(
    embeddings: Tensor,
    labels: Tensor | None = None,
    *,
    centroids: Tensor,
    relations: Tensor | None = None,
) -> Tensor:
    """Mean over rows of |f - c_y| - 1 / (3 (C - 1)) sum over m != y of |f - c_m|; 0-d, may be negative.

    3 times this bounds the mean of d(a, p) - d(a, n) over all triplets of a balanced set from above, whatever the
    centres are. The paper keeps them fixed and far apart, for example the columns of a unit matrix.

    `embeddings` (B, D) and `centroids` (C, D), with `labels` (B,) that number centroids, or `relations` (B, C) of rows
    to centroids: then the sum and its count run over the centroids that a row is known to differ from. Rows without a
    centroid of their own, or without a different one, are left out.

    Source: Do, Tran, Reid, Kumar, Hoang, Carneiro 2019, "A Theoretically Sound Upper Bound on the Triplet Loss for
    Improving the Efficiency of Deep Distance Metric Learning", the discriminative loss l_d.

    Raises:
        InputError: shapes do not fit, or not exactly one of labels and relations was given.
    """
    if labels is not None and relations is None:
        check_labels(embeddings, labels)
        relations = relations_between(labels, torch.arange(len(centroids), device=labels.device))
        labels = None
    own, other = resolve_masks(embeddings, labels, relations, centroids)  # (B, C)
    distances = pairwise(embeddings, centroids)  # (B, C)
    near = (distances * own).sum(dim=1) / own.sum(dim=1).clamp_min(1)  # (B,)
    far = (distances * other).sum(dim=1) / other.sum(dim=1).clamp_min(1)  # (B,) mean, hence the division by C - 1
    valid = own.any(dim=1) & other.any(dim=1)
    losses = torch.where(valid, near - far / 3, 0.0)
    return losses.sum() / valid.sum().clamp_min(1) + not_a_number_of(embeddings) + not_a_number_of(centroids)


def upper_bound_triplet_loss(
    embeddings: Tensor,
    labels: Tensor | None = None,
    *,
    relations: Tensor | None = None,
    centroids: Tensor | None = None,
    margin: float | None = None,
) -> Tensor:
    """The bound within a batch, never below the mean over its triplets that it bounds; 0-d.

    With c_i the centre of row i's identity, the triangle inequality gives for every triplet
    d(a, p) - d(a, n) <= [d(a, c_a) + d(p, c_a)] - [d(a, c_n) - d(n, c_n)]. Without a margin this is the mean of the
    right side over all triplets (for a balanced batch 3 times the paper's loss); with one, the mean of
    [margin + right side]+, a bound on batch-all's hinge. Both cost O(B^2) memory.

    `embeddings` (B, D) with `labels` (B,) or `relations` (B, B). `centroids` (B, D), the centre of each row's identity;
    by default the mean of the row and the rows that are the same, through which gradients flow too.

    Source: Do et al. 2019, as `centroid_bound_loss`; the inequality is that of its proof.

    Raises:
        InputError: shapes do not fit, or not exactly one of labels and relations was given.
    """
    same, different = resolve_masks(embeddings, labels, relations)
    if margin is not None:
        check_margin(margin)
    rows = at_least_float32(embeddings)
    centres = _own_centres(rows, same) if centroids is None else at_least_float32(centroids)
    if centres.shape != rows.shape:
        raise InputError(f"centroids must be one for each row, {tuple(rows.shape)}, got {tuple(centres.shape)}")
    to_centres = pairwise(rows, centres)  # (B, B): d(x_i, c_k)
    own = to_centres.diagonal()  # (B,)
    # one matrix holds both sides: positives d(a, c_a) + d(p, c_a), negatives d(a, c_n) - d(n, c_n)
    sides = torch.where(same, own[:, None] + to_centres.T, to_centres - own[None, :])  # (B, B)
    path = not_a_number_of(embeddings) + not_a_number_of(centres)
    if margin is not None:
        found = all_triplets(sides, same, different, margin=margin)
        return found.reduced("mean", margin) + path
    return _mean_difference(sides, same, different) + path


def _own_centres(rows: Tensor, same: Tensor) -> Tensor:
    """(B, D), (B, B) -> (B, D) mean of each row and those that are the same."""
    with torch.autocast(rows.device.type, enabled=False):
        return (rows + same.to(rows.dtype) @ rows) / (1 + same.sum(dim=1, keepdim=True))


def _mean_difference(sides: Tensor, same: Tensor, different: Tensor) -> Tensor:
    """Mean over all triplets of positive side minus negative side; all (B, B) -> 0-d."""
    positives = same.sum(dim=1, keepdim=True).to(sides.dtype)  # (B, 1)
    negatives = different.sum(dim=1, keepdim=True).to(sides.dtype)
    # each positive meets every negative of its row, and the other way round
    weights = same * negatives - different * positives  # (B, B)
    return (sides * weights).sum() / (positives * negatives).sum().clamp_min(1)
