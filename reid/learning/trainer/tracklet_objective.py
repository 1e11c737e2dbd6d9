"""What is minimised on tracklets of which nobody knows whom they show."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid.learning.losses import relational_distillation_loss
from reid.learning.networks import Network
from reid.learning.relations import SAME, UNKNOWN
from reid.learning.trainer.cost import Batch, Cost
from reid.learning.trainer.loss_config import LossConfig
from reid.learning.trainer.metric import MetricLoss


class TrackletObjective(nn.Module):
    """What a batch of tracklets costs: semi-hard triplets first, then the hardest; and what a teacher knew.

    Of the positives, the few that are farthest apart are left out: there labels are most likely wrong.

    Args:
        model: what is trained.
        hard_from_step: the step after which the hardest triplets are taken.
        dropped_positives: share of the positive pairs that is left out.
        memory_weight: how much it counts that cosines are the teacher's.
        seed: of miners that draw.
    """

    def __init__(
        self, model: Network, *, hard_from_step: float, dropped_positives: float, memory_weight: float, seed: int
    ) -> None:
        super().__init__()
        self._hard_from_step, self._dropped, self._memory_weight = hard_from_step, dropped_positives, memory_weight
        with torch.no_grad():
            dimension = int(model(torch.zeros((1, *model.size_px, 3), dtype=torch.uint8)).shape[1])
        easy, hard = LossConfig(mining="semi_hard"), LossConfig(margin="soft")
        self.easy, self.hard = (
            MetricLoss(loss, dimension, None, batch_size=0, memory_after=0, seed=seed) for loss in (easy, hard)
        )

    def forward(self, batch: Batch) -> Cost:
        """The cost of a batch."""
        vectors = functional.normalize(batch.after.float(), dim=1)
        metric = self.easy if batch.step <= self._hard_from_step else self.hard
        triplet, statistics = metric(vectors, _without_farthest(batch, vectors, self._dropped))
        total, taught = triplet, None
        if batch.teacher is not None:
            taught = relational_distillation_loss(vectors, batch.teacher)
            total = total + self._memory_weight * taught
        told = None if taught is None else taught.detach()
        return Cost(total, triplet.detach(), None, statistics, told, metric.parked_at)


@torch.no_grad()
def _without_farthest(batch: Batch, vectors: Tensor, share: float) -> Batch:
    """The batch with so large a share of its positive pairs, the farthest, as pairs of which nobody knows."""
    relations = batch.relations
    same = (relations == SAME).fill_diagonal_(fill_value=False)
    cosines = torch.where(same, vectors @ vectors.T, torch.inf)
    count = (same.sum() * share).long()
    # the limit is the count-th smallest of all: read where it lies, without waiting for a device
    limit = cosines.flatten().sort().values.gather(0, count.reshape(1))
    doubtful = same & (cosines < limit)
    return replace(batch, relations=torch.where(doubtful, UNKNOWN, relations))
