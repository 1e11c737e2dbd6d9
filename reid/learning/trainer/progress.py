"""What a training reports while it runs, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """One row of the history: means over the steps since the row before."""

    step: int
    """The last of those steps, from 1."""
    steps: int
    """How many there will be, unless it stops early."""
    epoch: int
    """The epoch that this step belongs to, from 1."""
    learning_rate: float
    """At that step."""
    loss: float
    """What is minimised: the weighted sum of the losses."""
    triplet_loss: float | None
    """The part of the triplets, or of the loss that `loss.kind` names, not weighted; None where it is left out."""
    identity_loss: float | None
    """The cross-entropy over identities, not weighted; None where it is left out."""
    active_share: float | None
    """Share of the mined triplets that still violate the margin."""
    positive_distance: float | None
    """Mean distance between vectors of one identity."""
    negative_distance: float | None
    """Mean distance between vectors of different identities."""
    mean_cosine: float | None
    """Mean cosine between all vectors of a batch; towards 1 it collapses."""
    gradient_norm: float
    """Length of the gradient before clipping."""
    data_s: float
    """Seconds a step that were spent waiting for pictures."""
    compute_s: float
    """Seconds a step at work."""
    teacher_loss: float | None = None
    """Mean square difference from the teacher's cosines, not weighted; None without one."""
    validation_map: float | None = None
    """Mean average precision on the held-out identities, where this step was validated."""
    validation_rank1: float | None = None
    """Share of held-out queries whose nearest other crop is of their identity, where this step was validated."""


ProgressCallback: TypeAlias = Callable[[TrainProgress], None]


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a training ended, and where its files are."""

    stopped: Literal["done", "early", "interrupted"]
    """All steps done; no better validation for too long; or told to stop, to be resumed."""
    step: int
    """Steps that were done."""
    best_step: int | None
    """The step of the best validation; None without one."""
    best_map: float | None
    """Its mean average precision."""
    best_rank1: float | None
    """Its rank-1."""
    model: Path | None
    """The exported model; None where it was interrupted."""
    checkpoint: Path
    """Everything to go on from: resuming, or fine-tuning another model."""
    history: Path
    """The history as CSV."""
    curves: Path
    """The history as a picture."""
