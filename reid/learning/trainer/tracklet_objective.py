"""What is minimised on tracklets of which nobody knows whom they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reid.learning.losses import CrossBatchMemory, relational_distillation_loss
from reid.learning.networks import Network
from reid.learning.relations import SAME, UNKNOWN
from reid.learning.trainer.cost import Batch, Cost
from reid.learning.trainer.loss_config import LossConfig
from reid.learning.trainer.metric import MetricLoss

Relate = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int8]]
"""What is known of rows (n,) and others (m,) of the crops: (n, m) of SAME, DIFFERENT, UNKNOWN; as `Crops.relations`."""


class TrackletObjective(nn.Module):
    """What a batch of tracklets costs: semi-hard triplets first, then the hardest; and what a teacher knew.

    Of the positives, the few that are farthest apart are left out: there labels are most likely wrong. With a memory,
    positives and negatives are those of the latest batches as well, as far as it is known which they are.

    Args:
        model: what is trained.
        relate: what is known of crops that did not come in one batch.
        hard_from_step: the step after which the hardest triplets are taken.
        dropped_positives: share of the positive pairs that is left out.
        memory_weight: how much it counts that cosines are the teacher's.
        remembered: vectors of earlier batches that are kept, as many as a batch has or more; 0 for none.
        remember_after: steps before that begins: at first vectors drift too fast to be remembered.
        seed: of miners that draw.
    """

    def __init__(
        self,
        model: Network,
        relate: Relate,
        *,
        hard_from_step: float,
        dropped_positives: float,
        memory_weight: float,
        remembered: int,
        remember_after: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._relate, self._remember_after = relate, remember_after
        self._hard_from_step, self._dropped, self._memory_weight = hard_from_step, dropped_positives, memory_weight
        with torch.no_grad():
            dimension = int(model(torch.zeros((1, *model.size_px, 3), dtype=torch.uint8)).shape[1])
        easy, hard = LossConfig(mining="semi_hard"), LossConfig(margin="soft")
        self.easy, self.hard = (
            MetricLoss(loss, dimension, None, batch_size=0, memory_after=0, seed=seed) for loss in (easy, hard)
        )
        self.memory: CrossBatchMemory | None = None
        if remembered:
            self.memory = CrossBatchMemory(self.easy.triplets, dimension=dimension, size=remembered)

    def forward(self, batch: Batch) -> Cost:
        """The cost of a batch."""
        vectors = functional.normalize(batch.after.float(), dim=1)
        metric = self.easy if batch.step <= self._hard_from_step else self.hard
        known = _without_farthest(batch.relations, vectors @ vectors.T, self._dropped)
        triplet, statistics = metric(vectors, replace(batch, relations=known))
        if self.memory is not None and batch.step > self._remember_after:
            self.memory.loss = metric.triplets
            triplet = self._beside_earlier(self.memory, vectors, batch)
        total, taught = triplet, None
        if batch.teacher is not None:
            taught = relational_distillation_loss(vectors, batch.teacher)
            total = total + self._memory_weight * taught
        told = None if taught is None else taught.detach()
        return Cost(total, triplet.detach(), None, statistics, told, metric.parked_at)

    def _beside_earlier(self, memory: CrossBatchMemory, vectors: Tensor, batch: Batch) -> Tensor:
        """The triplets' part (0-d) of a batch (B, D) beside what is remembered, which then takes the batch in."""
        assert batch.rows is not None, "without them nobody knows who is remembered"
        earlier = torch.from_numpy(self._relate(batch.rows.cpu().numpy(), memory.keys.cpu().numpy()))  # (B, M)
        earlier = earlier.to(vectors.device).masked_fill(~memory.filled, UNKNOWN)
        cosines = vectors @ torch.cat((vectors, memory.embeddings)).T  # (B, B + M)
        known = _without_farthest(torch.cat((batch.relations, earlier), dim=1), cosines, self._dropped)
        loss: Tensor = memory(vectors, relations=known, keys=batch.rows)
        return loss


@torch.no_grad()
def _without_farthest(relations: Tensor, cosines: Tensor, share: float) -> Tensor:
    """(B, C) relations, with so large a share of the positive pairs, the farthest, as pairs of which nobody knows.

    The first B columns are the rows themselves. `cosines` (B, C).
    """
    same = (relations == SAME).fill_diagonal_(fill_value=False)
    cosines = torch.where(same, cosines, torch.inf)
    count = (same.sum() * share).long()
    # the limit is the count-th smallest of all: read where it lies, without waiting for a device
    limit = cosines.flatten().sort().values.gather(0, count.reshape(1))
    return torch.where(same & (cosines < limit), UNKNOWN, relations)
