"""Negatives drawn so that every distance comes equally often."""

from __future__ import annotations

import torch
from torch import Tensor

from reid.errors import InputError
from reid.learning.mining.draws import Draws, choose
from reid.learning.mining.pairs import Pairs, Triplets, all_columns


class DistanceWeighted(Draws):
    """For each positive pair a negative drawn with weight 1 / q(d), q the density of distances on the sphere.

    Random points of a sphere in many dimensions are nearly all sqrt(2) apart; these weights make up for it. They are
    taken in log space and scaled row by row, so that 512 dimensions do not underflow. Embeddings must have unit length.

    Args:
        cutoff: Distances below it count as it: nearer negatives have a gradient that is mostly noise.
        nonzero_loss_cutoff: Negatives beyond it are never drawn: they have no loss. An anchor without a nearer one is
            left out.
        seed: Of the draws.

    Source: Wu, Manmatha, Smola, Krähenbühl 2017, "Sampling Matters in Deep Embedding Learning", section 4.

    Raises:
        InputError: the cut-offs are not 0 < cutoff < nonzero_loss_cutoff <= 2.
    """

    def __init__(self, *, cutoff: float = 0.5, nonzero_loss_cutoff: float = 1.4, seed: int = 0) -> None:
        if not 0 < cutoff < nonzero_loss_cutoff <= 2:
            bounds = f"{cutoff} and {nonzero_loss_cutoff}"
            raise InputError(f"cut-offs must be 0 < cutoff < nonzero_loss_cutoff <= 2, got {bounds}")
        super().__init__(seed)
        self.cutoff = cutoff
        self.nonzero_loss_cutoff = nonzero_loss_cutoff

    def forward(self, pairs: Pairs) -> Triplets:
        """One triplet for each positive pair whose anchor has a negative within the cut-off; slot p is column p."""
        cumulated = self.weights(pairs).cumsum(dim=1)  # (B, C)
        rows, columns = cumulated.shape
        uniform = self.uniform(rows, columns, like=cumulated)
        # only positive pairs need a draw; the others look for 0, which is quick
        negative = choose(cumulated, uniform.masked_fill_(~pairs.same, 0.0))  # (B, C)
        valid = pairs.same & pairs.different.gather(1, negative) & (cumulated[:, -1:] > 0)
        return Triplets(all_columns(pairs), negative, valid)

    def weights(self, pairs: Pairs) -> Tensor:
        """(B, C) weights of the negatives, the largest of each row 1; 0 for all other pairs."""
        n = pairs.dimension
        distance = pairs.euclidean.clamp_min(self.cutoff)  # (B, C)
        allowed = pairs.different & (distance < self.nonzero_loss_cutoff)
        # log 1/q(d) = (2 - n) log d - (n - 3) / 2 log(1 - d^2 / 4); the clamp is for d = 2, which is never allowed
        square = distance.square()
        tail = (1 - square / 4).clamp_min_(1e-12).log_()
        log_weight = square.log_().mul_((2 - n) / 2).sub_(tail, alpha=(n - 3) / 2)
        log_weight = log_weight.masked_fill_(~allowed, float("-inf"))
        top = log_weight.amax(dim=1, keepdim=True)  # (B, 1)
        return (log_weight - top.clamp_min_(torch.finfo(top.dtype).min)).exp_()
