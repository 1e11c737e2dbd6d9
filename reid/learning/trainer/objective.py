"""What a batch costs: triplets and identities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid.learning.losses import BatchStatistics, IdentityLoss, TripletLoss
from reid.learning.trainer.config import LossConfig


@dataclass(frozen=True, slots=True)
class Batch:
    """The vectors of one whole batch, gathered from all processes, and what is known of its crops."""

    pixels: Tensor
    """(b, h, w, 3) uint8, augmented: this process's own part of the batch, before the network."""
    before: Tensor
    """(B, D) features before the neck, not of unit length."""
    after: Tensor
    """(B, D) features after the neck, not of unit length."""
    relations: Tensor
    """(B, B) int8: same, different, unknown."""
    classes: Tensor | None
    """(B,) int64 number of the identity among those trained on; None where identities are no labels (tracklets)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a batch costs, in parts; all 0-d tensors, so that nothing waits for a GPU."""

    total: Tensor
    """What is minimised."""
    triplet: Tensor | None = None
    """The triplets' part, not weighted."""
    identity: Tensor | None = None
    """The identities' part, not weighted."""
    statistics: BatchStatistics | None = None
    """How the batch lies in space."""


class Objective(Protocol):
    """Turns a batch into a cost. May have weights of its own, which are trained and kept in checkpoints."""

    def __call__(self, batch: Batch) -> Cost: ...
    def to(self, device: torch.device) -> object: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: dict[str, Tensor]) -> object: ...


class TripletObjective(nn.Module):
    """Triplets on vectors of unit length, cross-entropy on the features after the neck.

    Source: Luo et al. 2019, "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", section 3.5; here
    the triplets see unit vectors, so that a margin means the same for every network and a collapse can be told.
    Features of a random start nearly coincide before the neck, where triplets then pull them together altogether;
    after it they have mean zero from the first step.

    Args:
        config: which losses.
        dimension: of the features.
        classes: identities that are trained on; None where identities are no labels.
        seed: of miners that draw.
    """

    def __init__(self, config: LossConfig, dimension: int, classes: int | None, *, seed: int = 0) -> None:
        super().__init__()
        self._config = config
        self.triplets = TripletLoss(
            margin=config.margin,
            mining=config.mining,
            distance=config.distance,
            reduction=config.reduction,
            seed=seed,
        )
        self.identities: IdentityLoss | None = None
        if classes is not None and config.identity_weight > 0:
            self.identities = IdentityLoss(dimension, classes, label_smoothing=config.label_smoothing)

    def forward(self, batch: Batch) -> Cost:
        """The cost of a batch, in at least float32 whatever autocast says."""
        features = batch.after if self._config.triplets_on == "after_neck" else batch.before
        vectors = functional.normalize(features.float(), dim=1)  # (B, D)
        total = vectors.new_zeros(())
        triplet = identity = None
        if self._config.triplet_weight > 0:
            triplet, statistics = self.triplets.with_statistics(vectors, relations=batch.relations)
            total = total + self._config.triplet_weight * triplet
        else:
            statistics = self.triplets.statistics(vectors, relations=batch.relations)
        if self.identities is not None and batch.classes is not None:
            identity = self.identities(batch.after.float(), batch.classes)
            total = total + self._config.identity_weight * identity
        return Cost(total, _value(triplet), _value(identity), statistics)


def _value(loss: Tensor | None) -> Tensor | None:
    return None if loss is None else loss.detach()
