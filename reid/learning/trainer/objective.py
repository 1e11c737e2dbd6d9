"""What a batch costs: vectors compared, identities named, a teacher followed."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from reid.learning.losses import IdentityLoss, relational_distillation_loss
from reid.learning.trainer.cost import Batch, Cost, Objective
from reid.learning.trainer.loss_config import LossConfig
from reid.learning.trainer.metric import MetricLoss

__all__ = ["Batch", "Cost", "Objective", "TripletObjective"]


class TripletObjective(nn.Module):
    """Triplets and a teacher on vectors of unit length, cross-entropy on the features after the neck.

    Source: Luo et al. 2019, "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", section 3.5; here
    the triplets see unit vectors, so that a margin means the same for every network and a collapse can be told.
    Features of a random start nearly coincide before the neck, where triplets then pull them together altogether;
    after it they have mean zero from the first step.

    Args:
        config: which losses.
        dimension: of the features.
        classes: identities that are trained on; None where identities are no labels.
        batch_size: crops in a batch, where the settings have a memory.
        memory_after: steps before that memory begins.
        seed: of miners that draw.
        pictures: K, of an identity in a batch at most; None where nobody promises that.

    Raises:
        InputError: the settings need labels, and there are none.
    """

    def __init__(
        self,
        config: LossConfig,
        dimension: int,
        classes: int | None,
        *,
        batch_size: int = 0,
        memory_after: int = 0,
        seed: int = 0,
        pictures: int | None = None,
    ) -> None:
        super().__init__()
        self._config = config
        self.metric = MetricLoss(
            config,
            dimension,
            classes,
            batch_size=batch_size,
            memory_after=memory_after,
            seed=seed,
            pictures=pictures,
        )
        """The loss between vectors."""
        self.identities: IdentityLoss | None = None
        if classes is not None and config.identity_weight > 0:
            self.identities = IdentityLoss(dimension, classes, label_smoothing=config.label_smoothing)

    def forward(self, batch: Batch) -> Cost:
        """The cost of a batch, in at least float32 whatever autocast says."""
        vectors = self.vectors(batch.before, batch.after)
        total = vectors.new_zeros(())
        triplet = identity = taught = None
        if self._config.triplet_weight > 0:
            triplet, statistics = self.metric(vectors, batch)
            total = total + self._config.triplet_weight * triplet
        else:
            statistics = self.metric.statistics(vectors, batch)
        if self.identities is not None and batch.classes is not None:
            identity = self.identities(batch.after.float(), batch.classes)
            total = total + self._config.identity_weight * identity
        if batch.teacher is not None:
            taught = relational_distillation_loss(vectors, batch.teacher)
            total = total + self._config.teacher_weight * taught
        return Cost(total, _value(triplet), _value(identity), statistics, _value(taught), self.metric.parked_at)

    def vectors(self, before: Tensor, after: Tensor) -> Tensor:
        """(B, D) features before and after the neck -> (B, D) vectors of unit length that are compared."""
        features = after if self._config.triplets_on == "after_neck" else before
        return functional.normalize(features.float(), dim=1)


def _value(loss: Tensor | None) -> Tensor | None:
    return None if loss is None else loss.detach()
