"""What a batch of tracklets costs, of which nobody knows whom they show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from reid.learning.relations import relations_from_labels
from reid.learning.trainer import AlarmConfig, TrainProgress
from reid.learning.trainer.alarm import CollapseAlarm, CollapseError
from reid.learning.trainer.cost import Batch
from reid.learning.trainer.tracklet_objective import TrackletObjective

LABELS = torch.arange(4).repeat_interleave(3)


class Eyes(nn.Module):
    """Gives six numbers for every picture, as far as anybody asks here."""

    size_px = (8, 4)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.zeros((len(pixels), 6))


def objective(**changes: Any) -> TrackletObjective:
    options: dict[str, Any] = {"hard_from_step": 120, "dropped_positives": 0.05, "memory_weight": 5.0, "seed": 0}
    return TrackletObjective(Eyes(), **options | changes)  # type: ignore[arg-type] # all of a network that it asks for


def batch_of(vectors: torch.Tensor, *, step: int = 1) -> Batch:
    pixels = torch.zeros((len(vectors), 8, 4, 3), dtype=torch.uint8)
    return Batch(pixels, vectors, vectors, relations_from_labels(LABELS), None, step=step)


def test_everybody_as_far_from_everybody_is_told_whichever_triplets_are_taken() -> None:
    corners = torch.eye(12)  # no mean cosine gives them away
    cost_of, alarm = objective(), CollapseAlarm(AlarmConfig(), {})
    row = TrainProgress(
        step=0, steps=300, epoch=1, learning_rate=1e-3, loss=1.0, identity_loss=None, gradient_norm=0.1, data_s=0.0,
        compute_s=0.1, triplet_loss=None, active_share=None, positive_distance=None, negative_distance=None,
        mean_cosine=None,
    )  # fmt: skip

    def go_on(steps: range) -> None:
        for step in steps:
            cost = cost_of(batch_of(corners, step=step))
            seen = cost.statistics
            assert cost.triplet is not None
            assert seen is not None
            told = replace(
                row, step=step, triplet_loss=float(cost.triplet), positive_distance=float(seen.mean_positive_distance),
                negative_distance=float(seen.mean_negative_distance), mean_cosine=float(seen.mean_cosine),
            )  # fmt: skip
            alarm.check(told, cost.parked_at)

    go_on(range(10, 201, 10))
    with pytest.raises(CollapseError, match=r"parked at 0\.6931.* since step 110: this has collapsed"):
        go_on(range(210, 211))
