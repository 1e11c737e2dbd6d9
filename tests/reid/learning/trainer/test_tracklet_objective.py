"""What a batch of tracklets costs, of which nobody knows whom they show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from reid.learning.relations import DIFFERENT, SAME, UNKNOWN, relations_from_labels
from reid.learning.trainer import AlarmConfig, TrainProgress
from reid.learning.trainer.alarm import CollapseAlarm, CollapseError
from reid.learning.trainer.cost import Batch
from reid.learning.trainer.loss_config import LossConfig
from reid.learning.trainer.metric import MetricLoss
from reid.learning.trainer.tracklet_objective import TrackletObjective

LABELS = torch.arange(4).repeat_interleave(3)


class Eyes(nn.Module):
    """Gives six numbers for every picture, as far as anybody asks here."""

    size_px = (8, 4)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.zeros((len(pixels), 6))


def relate(rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int8]:
    """Crops of a hundred are of one piece; piece 0 was seen beside 1, and 2 beside 3."""
    a, b = rows[:, None] // 100, others[None, :] // 100
    return np.where(a == b, SAME, np.where(a // 2 == b // 2, DIFFERENT, UNKNOWN)).astype(np.int8)


def objective(**changes: Any) -> TrackletObjective:
    options: dict[str, Any] = {
        "hard_from_step": 120, "dropped_positives": 0.05, "memory_weight": 5.0, "remembered": 0, "remember_after": 0,
        "seed": 0,
    }  # fmt: skip
    # all of a network that it asks for
    return TrackletObjective(Eyes(), relate, **options | changes)  # type: ignore[arg-type]


def batch_of(vectors: torch.Tensor, *, step: int = 1) -> Batch:
    pixels = torch.zeros((len(vectors), 8, 4, 3), dtype=torch.uint8)
    return Batch(pixels, vectors, vectors, relations_from_labels(LABELS), None, step=step)


def crops_of(rows: list[int], vectors: list[list[float]], *, step: int) -> Batch:
    given, numbers = torch.tensor(vectors, requires_grad=True), np.array(rows)
    pixels = torch.zeros((len(rows), 8, 4, 3), dtype=torch.uint8)
    known = torch.from_numpy(relate(numbers, numbers))
    return Batch(pixels, given, given, known, None, step=step, rows=torch.from_numpy(numbers))


def after(earlier: Batch, batch: Batch, **changes: Any) -> tuple[float, torch.Tensor]:
    """What a batch costs after another one, and the gradient of its vectors (B, 6)."""
    options = {"remembered": 4, "hard_from_step": 0, "dropped_positives": 0.0}
    cost_of = objective(**options | changes)
    cost_of(earlier)
    cost = cost_of(batch)
    torch.autograd.backward(cost.total)
    assert isinstance(batch.after.grad, torch.Tensor)
    return cost.total.item(), batch.after.grad


NORTH, EAST, UP, NEAR_NORTH = [1.0, 0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0, 0], [0, 0, 1.0, 0, 0, 0], [0.9, 0.1, 0, 0, 0, 0]
ALONE = ([0, 1], [NORTH, EAST])
"""Two crops of piece 0, and nobody beside them: nothing to learn without a memory."""


def test_semi_hard_triplets_come_first_and_then_the_hardest_with_a_soft_margin() -> None:
    vectors = functional.normalize(torch.randn((len(LABELS), 6), generator=torch.Generator().manual_seed(0)), dim=1)
    known = relations_from_labels(LABELS)

    def expected(mining: str, margin: float | str) -> float:
        loss = LossConfig(mining=mining, margin=margin)  # type: ignore[arg-type]
        metric = MetricLoss(loss, 6, None, batch_size=0, memory_after=0, seed=0)
        return float(metric(vectors, replace(batch_of(vectors), relations=known))[0])

    wanted = expected("semi_hard", LossConfig().margin), expected("batch_hard", "soft")
    assert wanted[0] != pytest.approx(wanted[1], rel=0.01)
    whole = objective(dropped_positives=0.0)
    found = [float(whole(batch_of(vectors, step=step)).total.detach()) for step in (1, 120, 121, 300)]
    assert found == pytest.approx([wanted[0], wanted[0], wanted[1], wanted[1]])


def test_who_is_remembered_is_the_same_or_different_only_where_that_is_known() -> None:
    costs = {
        name: after(crops_of(rows, [NEAR_NORTH, UP], step=1), crops_of(*ALONE, step=2))[0]
        for name, rows in {"unknown": [200, 201], "beside": [100, 101], "same": [2, 3]}.items()
    }
    assert costs["unknown"] == 0, "piece 2 was never seen with piece 0"
    assert costs["beside"] > 0, "piece 1 was"
    assert costs["same"] == 0, "more of piece 0, but no negative"
    # and the positives of the same piece: the farthest of them counts
    mixed = [100, 2]
    far, near = (
        after(crops_of(mixed, [UP, here], step=1), crops_of([0, 0], [NORTH, NORTH], step=2))[0]
        for here in ([-1.0, 0, 0, 0, 0, 0], NORTH)
    )
    assert far > near


def test_the_memory_begins_when_told_and_holds_no_gradient() -> None:
    earlier, batch = crops_of([100, 101], [NEAR_NORTH, UP], step=1), crops_of(*ALONE, step=2)
    cost, gradient = after(earlier, batch)
    assert cost > 0
    assert gradient.abs().sum() > 0
    assert earlier.after.grad is None
    assert after(crops_of([100, 101], [NEAR_NORTH, UP], step=1), crops_of(*ALONE, step=2), remember_after=1)[0] == 0
    assert after(crops_of([100, 101], [NEAR_NORTH, UP], step=1), crops_of(*ALONE, step=2), remembered=0)[0] == 0


def test_what_is_not_yet_remembered_counts_for_nothing_among_the_positives() -> None:
    rows, vectors = [0, 1, 2, 100], [NORTH, NEAR_NORTH, EAST, UP]  # empty slots bear the number of a crop of piece 0
    costs = []
    for remembered in (0, 4, 40):
        cost_of = objective(remembered=remembered, hard_from_step=0, dropped_positives=0.34)
        costs.append(cost_of(crops_of(rows, vectors, step=1)).total.item())
    assert costs == [costs[0]] * 3
    assert costs[0] < objective(hard_from_step=0, dropped_positives=0.0)(crops_of(rows, vectors, step=1)).total.item()


def test_of_remembered_positives_the_farthest_are_dropped_too() -> None:
    beside = [100, 2], [UP, [-1.0, 0, 0, 0, 0, 0]]
    batch = [0, 1], [NORTH, NORTH]
    with_all, without = (
        after(crops_of(*beside, step=1), crops_of(*batch, step=2), dropped_positives=share)[0] for share in (0.0, 0.5)
    )
    assert without < with_all


def test_a_memory_that_is_gone_on_with_is_the_same() -> None:
    drawn = torch.randn((3, 3, 6), generator=torch.Generator().manual_seed(0)).tolist()
    first, second, third = (crops_of([0, 1, 100], drawn[k], step=k + 1) for k in (0, 1, 2))
    one, two = (objective(remembered=6, hard_from_step=2) for _ in range(2))
    for batch in (first, second):
        one(batch)
    two.load_state_dict(one.state_dict())
    cost = one(third).total
    assert torch.equal(cost, two(third).total)
    assert not torch.equal(cost, objective(remembered=6, hard_from_step=2)(third).total), "what is remembered counts"


def test_everybody_as_far_from_everybody_is_told_whichever_triplets_are_taken() -> None:
    # no mean cosine gives them away; of distances that are the same to the last digit none is semi-hard
    corners = torch.eye(12) + 1e-3 * torch.randn(12, 12, generator=torch.Generator().manual_seed(0))
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
    with pytest.raises(CollapseError, match=r"parked at 0\.69.* since step 110: this has collapsed"):
        go_on(range(210, 211))
