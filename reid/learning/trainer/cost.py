"""What the losses of a training take and give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from reid.learning.losses import BatchStatistics


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
    triplets: Tensor | None = None
    """(T, 3) int64 rows of anchor, positive and negative, of a list mined offline; None without one."""
    step: int = 0
    """The step that is done on it, from 1."""
    teacher: Tensor | None = None
    """(B, E) vectors of the same crops by another embedder, NaN where it says nothing; None without one."""
    rows: Tensor | None = None
    """(B,) int64 which of the crops that are trained on they are; None where nobody said."""


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
    teacher: Tensor | None = None
    """The teacher's part, not weighted."""
    parked_at: float | None = None
    """What the triplets' part is where everybody is as far from everybody; None where it says nothing."""


class Objective(Protocol):
    """Turns a batch into a cost. May have weights of its own, which are trained and kept in checkpoints."""

    def __call__(self, batch: Batch) -> Cost: ...
    def to(self, device: torch.device) -> object: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: dict[str, Tensor]) -> object: ...
