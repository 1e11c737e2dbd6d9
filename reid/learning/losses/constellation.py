"""All positives against all negatives of an anchor in one logarithm."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from reid.checks import check_number
from reid.learning.distances import at_least_float32
from reid.learning.losses.margins import mean_of, not_a_number_of
from reid.learning.relations import resolve_masks


def constellation_loss(
    embeddings: Tensor,
    labels: Tensor | None = None,
    *,
    relations: Tensor | None = None,
    reference: Tensor | None = None,
    scale: float = 1.0,
) -> Tensor:
    """Mean over anchors of log(1 + sum over p, n of exp(scale (a.n - a.p))); 0-d.

    The paper draws K pairs of a positive and a negative for each anchor; here all pairs of the batch take part. Their
    sum is a product of two sums, so that the loss costs O(B^2): softplus(logsumexp over n of a.n + logsumexp over p of
    -a.p). Anchors without a positive or a negative are left out. `scale` is for embeddings of unit length, whose dot
    products are at most 1: some 10 to 30; the paper's, 1, is for free lengths.

    `embeddings` (B, D) with `labels` (B,) or `relations` (B, B); or against `reference` (C, D) with `relations` (B, C).

    Source: Medela, Picón 2020, "Constellation Loss: Improving the Efficiency of Deep Metric Learning Loss Functions for
    the Optimal Embedding of Histopathological Images".

    Raises:
        InputError: shapes do not fit, the scale is not above 0, or not exactly one of labels and relations was given.
    """
    check_number("scale", scale, above=0)
    same, different = resolve_masks(embeddings, labels, relations, reference)
    with torch.autocast(embeddings.device.type, enabled=False):
        rows = at_least_float32(embeddings)
        others = rows if reference is None else at_least_float32(reference)
        products = scale * (rows @ others.T)  # (B, C)
    valid = same.any(dim=1) & different.any(dim=1)  # (B,)
    total = _masked_logsumexp(products, different) + _masked_logsumexp(-products, same)  # (B,)
    return mean_of(functional.softplus(total), valid) + not_a_number_of(embeddings)


def _masked_logsumexp(values: Tensor, mask: Tensor) -> Tensor:
    """(B, C) -> (B,) log of the sum of exp over the marked entries; of a row without any a finite number."""
    empty = ~mask.any(dim=1, keepdim=True)  # (B, 1): all entries count, so that neither value nor gradient is infinite
    return values.masked_fill(~(mask | empty), float("-inf")).logsumexp(dim=1)
