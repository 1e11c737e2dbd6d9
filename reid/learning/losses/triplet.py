"""The triplet loss: margin, mining, distance and reduction put together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reid.errors import InputError
from reid.learning.distances import check_distance, paired, pairwise, to_chosen
from reid.learning.loss_choices import DistanceName, Margin, MiningName, Reduction, check_margin
from reid.learning.losses.all_triplets import all_triplets
from reid.learning.losses.margins import Terms, check_reduction, not_a_number_of, terms
from reid.learning.losses.statistics import BatchStatistics, batch_statistics
from reid.learning.mining import BatchAll, Exhaustive, Hard, Miner, Pairs, Triplets, open_miner
from reid.learning.relations import resolve_masks


class TripletLoss(nn.Module):
    """Pull an anchor's positives nearer than its negatives, by a margin, over triplets that a miner chooses.

    Called with embeddings (B, D) and labels (B,), negative where nobody knows whom a row shows, or relations (B, B) of
    `reid.learning.relations`; the result is a 0-d tensor of at least float32. Anchors without a positive or a negative
    are left out; where nothing is selected the loss is zero and its gradient too. Memory is O(B^2), and no step waits
    for the device or depends on values in its shapes.

    Args:
        margin: A number for the hinge, "soft" for the smooth form without one (Hermans et al. 2017, section 2).
        mining: A name of `reid.learning.mining.MINING`, or a miner object.
        distance: "euclidean", "squared_euclidean" or "cosine" (1 - cosine).
        reduction: "mean" over all selected triplets, "nonzero" over those whose loss is not zero.
        most_positives: The most positives that an anchor can have, K - 1 in a batch of K pictures an identity. Only
            the soft margin over all triplets needs it, and only on a GPU or compiled: it is then some B / (K - 1)
            times quicker, while on a CPU the batch itself is asked. A batch that breaks the promise is refused.
        seed: Of miners by name that draw. Their state is part of `state_dict()`.

    Source: Schroff, Kalenichenko, Philbin 2015, "FaceNet", eq. 2; for mining see the miners.

    Raises:
        InputError: an argument is not what it must be.
    """

    def __init__(
        self,
        margin: Margin = 0.3,
        mining: MiningName | Miner | Exhaustive = "batch_hard",
        distance: DistanceName = "euclidean",
        reduction: Reduction = "mean",
        *,
        most_positives: int | None = None,
        seed: int = 0,
    ) -> None:
        check_margin(margin)
        check_distance(distance)
        check_reduction(reduction)
        if most_positives is not None and most_positives < 1:
            raise InputError(f"most_positives must be at least 1, got {most_positives}")
        super().__init__()
        self.margin = margin
        self.distance = distance
        self.reduction = reduction
        self.most_positives = most_positives
        self.miner = open_miner(mining, margin=margin, seed=seed)

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor | None = None,
        *,
        relations: Tensor | None = None,
        reference: Tensor | None = None,
    ) -> Tensor:
        """(B, D) embeddings and (B,) labels or (B, B) relations -> the loss, 0-d.

        With `reference` (C, D), positives and negatives are its rows, and `relations` is (B, C).

        Raises:
            InputError: shapes do not fit, or not exactly one of labels and relations was given.
        """
        found, _ = self._terms(embeddings, labels, relations, reference)
        return found.reduced(self.reduction, self.margin) + not_a_number_of(embeddings)

    def with_statistics(
        self, embeddings: Tensor, labels: Tensor | None = None, *, relations: Tensor | None = None
    ) -> tuple[Tensor, BatchStatistics]:
        """The loss as `forward` gives it, and the statistics of the batch, for little more than the loss alone.

        Raises:
            InputError: shapes do not fit, or not exactly one of labels and relations was given.
        """
        found, pairs = self._terms(embeddings, labels, relations, None)
        loss = found.reduced(self.reduction, self.margin) + not_a_number_of(embeddings)
        return loss, batch_statistics(embeddings, pairs, found)

    @torch.no_grad()
    def statistics(
        self, embeddings: Tensor, labels: Tensor | None = None, *, relations: Tensor | None = None
    ) -> BatchStatistics:
        """The statistics of a batch alone. A miner that draws is left in the state it was in.

        Raises:
            InputError: shapes do not fit, or not exactly one of labels and relations was given.
        """
        state = self.state_dict()
        found = self.with_statistics(embeddings, labels, relations=relations)[1]
        self.load_state_dict(state)
        return found

    def _terms(
        self, embeddings: Tensor, labels: Tensor | None, relations: Tensor | None, reference: Tensor | None
    ) -> tuple[Terms, Pairs]:
        same, different = resolve_masks(embeddings, labels, relations, reference)
        miner = self.miner
        distances = pairwise(embeddings, reference, distance=self.distance)  # (B, C)
        pairs = Pairs(distances.detach(), same, different, self.distance, embeddings.shape[1])
        if isinstance(miner, BatchAll | Hard):
            self._check_positives(same)
            found = all_triplets(
                distances,
                same,
                different,
                margin=self.margin,
                only_hard=miner.only_hard,
                most_positives=self.most_positives,
            )
            return found, pairs
        with torch.no_grad():
            triplets = miner(pairs)
        difference = self._difference(embeddings, reference, distances, triplets)
        return terms(difference, triplets.valid, self.margin), pairs

    def _difference(
        self, embeddings: Tensor, reference: Tensor | None, distances: Tensor, triplets: Triplets
    ) -> Tensor:
        """(B, R) d(a, p) - d(a, n) of the chosen triplets, with gradient."""
        if triplets.positive.shape[1] > 1:
            return distances.gather(1, triplets.positive) - distances.gather(1, triplets.negative)
        # one for each anchor: measured again for those alone, the gradient costs O(B D) instead of O(B^2 D)
        chosen = torch.cat((triplets.positive, triplets.negative), dim=1)  # (B, 2)
        reach_and_gap = to_chosen(embeddings, chosen, reference, distance=self.distance)  # (B, 2)
        return reach_and_gap[:, :1] - reach_and_gap[:, 1:]

    def _check_positives(self, same: Tensor) -> None:
        """Refuse, on the device and without waiting for it, anchors with more positives than were promised."""
        if self.most_positives is not None:
            fits = same.sum(dim=1).amax() <= self.most_positives
            torch._assert_async(fits, f"an anchor has more positives than most_positives = {self.most_positives}")


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    margin: Margin = 0.3,
    distance: DistanceName = "euclidean",
    reduction: Reduction = "mean",
) -> Tensor:
    """Triplets given as three tensors, each (T, D) -> 0-d loss; zero with a gradient path for none.

    mean of [d(a, p) - d(a, n) + margin]+, or of ln(1 + exp(d(a, p) - d(a, n))) for "soft".

    Source: Schroff, Kalenichenko, Philbin 2015, "FaceNet", eq. 2, with "squared_euclidean".

    Raises:
        InputError: shapes differ, or another argument is not what it must be.
    """
    check_margin(margin)
    check_reduction(reduction)
    if anchor.ndim != 2 or not anchor.shape == positive.shape == negative.shape:
        shapes = f"{tuple(anchor.shape)}, {tuple(positive.shape)} and {tuple(negative.shape)}"
        raise InputError(f"anchor, positive and negative must be (T, D) alike, got {shapes}")
    difference = paired(anchor, positive, distance=distance) - paired(anchor, negative, distance=distance)  # (T,)
    found = terms(difference, torch.ones_like(difference, dtype=torch.bool), margin)
    path = not_a_number_of(anchor) + not_a_number_of(positive) + not_a_number_of(negative)
    return found.reduced(reduction, margin) + path


def indexed_triplet_loss(
    embeddings: Tensor,
    triplets: Tensor,
    *,
    margin: Margin = 0.3,
    distance: DistanceName = "euclidean",
    reduction: Reduction = "mean",
) -> Tensor:
    """`triplet_margin_loss` of triplets given as places: (U, D) and (T, 3) int64 of anchor, positive, negative -> 0-d.

    For training from a list mined beforehand: `reid.learning.mining.TripletList.batches` gives both.

    Raises:
        InputError: shapes do not fit, or another argument is not what it must be.
    """
    if triplets.ndim != 2 or triplets.shape[1] != 3 or triplets.is_floating_point():
        raise InputError(f"triplets must be (T, 3) of int64, got {tuple(triplets.shape)} of {triplets.dtype}")
    anchor, positive, negative = (embeddings.index_select(0, places) for places in triplets.unbind(dim=1))
    return triplet_margin_loss(anchor, positive, negative, margin=margin, distance=distance, reduction=reduction)
