"""The loss between the vectors of a batch, of whatever kind was chosen."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from reid.errors import InputError
from reid.learning.losses import (
    BatchStatistics,
    ClassTree,
    CrossBatchMemory,
    TripletLoss,
    class_tree,
    constellation_loss,
    contrastive_loss,
    hierarchical_triplet_loss,
    indexed_triplet_loss,
    mean_triplet_loss,
    upper_bound_triplet_loss,
)
from reid.learning.trainer.cost import Batch
from reid.learning.trainer.loss_config import LossConfig

_SOFT_PARKED = math.log(2)  # softplus(0): every negative is exactly as far as the positive


class MetricLoss(nn.Module):
    """A loss between vectors of unit length, by the settings; all that it remembers is part of its `state_dict()`.

    Args:
        config: which loss.
        dimension: of the vectors.
        classes: identities that are trained on; None where identities are no labels.
        batch_size: crops in a batch.
        memory_after: steps before a memory begins: at first vectors drift too fast to be remembered.
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
        batch_size: int,
        memory_after: int,
        seed: int,
        pictures: int | None = None,
    ) -> None:
        super().__init__()
        if classes is None and (config.memory_batches or config.kind == "hierarchical"):
            raise InputError(
                "loss.memory_batches and the loss.kind hierarchical need labelled identities: two tracklets that were "
                "not seen together may be one object"
            )
        # a list gives batches of any identities, and a memory more rows of each
        promised = None if pictures is None or config.offline or config.memory_batches else pictures - 1
        self.triplets = TripletLoss(
            config.margin,
            config.mining,
            config.distance,
            config.reduction,
            most_positives=promised,
            seed=seed,
        )
        self.parked_at = _parked_at(config)
        """The loss where everybody is as far from everybody; None for kinds in which it says nothing."""
        self._compare: nn.Module | None = None  # what takes the place of triplets of the batch
        if config.offline:
            self._compare = _Listed(config)
        elif config.kind == "hierarchical":
            self._compare = _ByTree(classes or 0)
        elif config.memory_batches:
            size = config.memory_batches * batch_size
            self._compare = _Remembering(_loss(config, self.triplets), dimension, size, memory_after)
        elif config.kind != "triplet":
            self._compare = _InBatch(_loss(config, self.triplets))

    def forward(self, vectors: Tensor, batch: Batch) -> tuple[Tensor, BatchStatistics]:
        """(B, D) vectors of the batch -> the loss, 0-d, and how the batch lies in space."""
        if self._compare is None:
            return self.triplets.with_statistics(vectors, relations=batch.relations)
        return self._compare(vectors, batch), self.statistics(vectors, batch)

    def statistics(self, vectors: Tensor, batch: Batch) -> BatchStatistics:
        """How a batch lies in space; the triplets of which a share is active are those that mining finds in it."""
        return self.triplets.statistics(vectors, relations=batch.relations)

    def see_everybody(self, vectors: Tensor, classes: Tensor) -> None:
        """(N, D) vectors of all that is trained on and (N,) int64 who it is, for a loss that wants to know."""
        if isinstance(self._compare, _ByTree):
            self._compare.renew(class_tree(vectors, classes))


class _InBatch(nn.Module):
    """A batch by itself."""

    def __init__(self, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self._loss = loss

    def forward(self, vectors: Tensor, batch: Batch) -> Tensor:
        return self._loss(vectors, relations=batch.relations)


class _Remembering(nn.Module):
    """A batch beside earlier ones."""

    def __init__(self, loss: Callable[..., Tensor], dimension: int, size: int, after: int) -> None:
        super().__init__()
        self._loss, self._after = loss, after
        self.memory = CrossBatchMemory(loss, dimension=dimension, size=size)

    def forward(self, vectors: Tensor, batch: Batch) -> Tensor:
        if batch.step <= self._after:
            return self._loss(vectors, relations=batch.relations)
        value: Tensor = self.memory(vectors, batch.classes)
        return value


class _ByTree(nn.Module):
    """Margins from how near the identities are to each other."""

    merged_at: Tensor
    between: Tensor
    within: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        for name, shape in (("merged_at", (classes, classes)), ("between", (classes, classes)), ("within", (classes,))):
            self.register_buffer(name, torch.zeros(shape))

    def renew(self, tree: ClassTree) -> None:
        """Put another tree in place."""
        for name in ("merged_at", "between", "within"):
            getattr(self, name).copy_(getattr(tree, name))

    def forward(self, vectors: Tensor, batch: Batch) -> Tensor:
        assert batch.classes is not None, "labels were checked in the beginning"
        margins = ClassTree(self.merged_at, self.between, self.within).margins(batch.classes)
        return hierarchical_triplet_loss(vectors, relations=batch.relations, margins=margins)


class _Listed(nn.Module):
    """Triplets that were mined beforehand."""

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self._shape: dict[str, Any] = {
            "margin": config.margin, "distance": config.distance, "reduction": config.reduction,
        }  # fmt: skip

    def forward(self, vectors: Tensor, batch: Batch) -> Tensor:
        assert batch.triplets is not None, "offline mining gives batches their triplets"
        return indexed_triplet_loss(vectors, batch.triplets, **self._shape)


def _loss(config: LossConfig, triplets: TripletLoss) -> Callable[..., Tensor]:
    """The loss of a kind that looks at relations alone; all but the upper bound take other rows to compare with."""
    shape: dict[str, Any] = {"margin": config.margin, "distance": config.distance, "reduction": config.reduction}
    made: dict[str, Callable[..., Tensor]] = {
        "triplet": triplets,
        "mean_triplet": partial(mean_triplet_loss, **shape),
        "upper_bound": partial(upper_bound_triplet_loss, margin=config.margin),  # type: ignore[arg-type] # no "soft"
        "constellation": partial(constellation_loss, scale=config.scale),
        "contrastive": partial(contrastive_loss, **shape),
    }
    return made[config.kind]


def _parked_at(config: LossConfig) -> float | None:
    if config.kind in ("hierarchical", "constellation", "contrastive"):
        return None
    return _SOFT_PARKED if config.margin == "soft" else float(config.margin)
