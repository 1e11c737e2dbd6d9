from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reid.data import Crops
from reid.learning.loss_choices import LossKind
from reid.learning.trainer import (
    AlarmConfig,
    LossConfig,
    OptimizerConfig,
    TrainConfig,
    TrainProgress,
    ValidationConfig,
    read_history,
    train,
)
from reid.learning.trainer.alarm import CollapseAlarm, CollapseError
from reid.learning.trainer.metric import MetricLoss
from reid.learning.trainer.objective import Batch, Cost

HEALTHY = TrainProgress(
    step=1, steps=1000, epoch=1, learning_rate=1e-3, loss=2.0, triplet_loss=0.25, identity_loss=1.5, active_share=0.7,
    positive_distance=0.8, negative_distance=1.2, mean_cosine=0.1, gradient_norm=2.0, data_s=0.0, compute_s=0.1,
)  # fmt: skip
NO_MEMORY = {"batch_size": 0, "memory_after": 0, "seed": 0}
PARKED = replace(HEALTHY, triplet_loss=0.3004, positive_distance=0.401, negative_distance=0.402)


def judge(row: TrainProgress, steps: range, loss: LossConfig | None = None) -> None:
    alarm, metric = CollapseAlarm(AlarmConfig(), {}), MetricLoss(loss or LossConfig(), 4, 2, **NO_MEMORY)
    for step in steps:
        alarm.check(replace(row, step=step), metric.parked_at)


def test_a_healthy_training_is_left_alone() -> None:
    judge(HEALTHY, range(10, 1000, 10))


def test_a_loss_near_the_margin_is_no_sign_while_strangers_are_farther() -> None:
    judge(replace(PARKED, negative_distance=0.5), range(10, 1000, 10))


@pytest.mark.parametrize("kind", ["contrastive", "constellation", "hierarchical"])
def test_the_margin_is_no_sign_of_losses_that_do_not_end_there(kind: LossKind) -> None:
    judge(PARKED, range(10, 1000, 10), LossConfig(kind=kind))


@pytest.mark.parametrize(
    ("row", "loss", "message"),
    [
        (replace(HEALTHY, mean_cosine=0.95), LossConfig(), "the mean cosine between crops is 0.950, above 0.9"),
        (PARKED, LossConfig(), "the triplet loss is parked at 0.3004, the margin, and strangers are no farther"),
        (replace(PARKED, triplet_loss=0.6931), LossConfig(margin="soft"), "parked at 0.6931"),
        (PARKED, LossConfig(kind="mean_triplet"), "parked at 0.3004"),
    ],
)
def test_a_collapse_that_lasts_stops_it_with_advice(row: TrainProgress, loss: LossConfig, message: str) -> None:
    judge(row, range(10, 201, 10), loss)
    with pytest.raises(CollapseError, match=r"since step 110: this has collapsed\. Take a lower") as caught:
        judge(row, range(10, 300, 10), loss)
    assert message in str(caught.value)
    assert str(caught.value).startswith("step 210: ")


def test_a_collapse_that_passes_is_forgiven() -> None:
    alarm = CollapseAlarm(AlarmConfig(), {})
    for step in range(10, 1000, 10):
        alarm.check(replace(HEALTHY, step=step, mean_cosine=0.95 if step % 100 else 0.5), 0.3)


@pytest.mark.parametrize("field", ["loss", "gradient_norm"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_stops_it_at_once(field: str, value: float) -> None:
    alarm = CollapseAlarm(AlarmConfig(enabled=False), {})
    with pytest.raises(CollapseError, match=r"not finite\. Take a lower optimizer\.learning_rate"):
        alarm.check(replace(HEALTHY, **{field: value}), 0.3)


def test_a_training_that_diverges_stops_and_leaves_its_last_good_checkpoint(
    tmp_path: Path, plain: TrainConfig, make_crops: Callable[..., Crops]
) -> None:
    class Exploding(torch.nn.Module):
        """Well for four steps, then not a number."""

        calls = 0

        def forward(self, batch: Batch) -> Cost:
            self.calls += 1
            return Cost(batch.after.square().mean() * (1.0 if self.calls < 5 else float("nan")))

    with pytest.raises(CollapseError, match=r"step 6: the loss is nan"):
        train(plain, make_crops(), None, tmp_path / "m.onnx", make_objective=lambda _model, _classes: Exploding())
    checkpoint = torch.load(tmp_path / "m.train" / "checkpoint.pt", weights_only=True)
    assert checkpoint["step"] == 3
    assert all(bool(value.isfinite().all()) for value in checkpoint["model"].values())
    assert read_history(tmp_path / "m.train" / "history.csv")[-1].step == 6
    assert not (tmp_path / "m.onnx").exists()


class SpoiledGradient(torch.autograd.Function):
    """A value as it is; its gradient times `factor`."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, factor: float) -> torch.Tensor:
        ctx.factor = factor
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient * ctx.factor, None


class Spoiled(torch.nn.Module):
    """Losses that are finite, with a gradient that is not, from a call on."""

    def __init__(self, factor: float, after: int) -> None:
        super().__init__()
        self.factor, self.after, self.calls = factor, after, 0

    def forward(self, batch: Batch) -> Cost:
        self.calls += 1
        value: torch.Tensor = SpoiledGradient.apply(  # type: ignore[no-untyped-call]
            batch.after.float().square().mean(), self.factor if self.calls > self.after else 1.0
        )
        return Cost(value)


@pytest.fixture
def in_float16(plain: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """42 steps with the scaler of float16, which the command refuses on a CPU, where it gains nothing."""
    monkeypatch.setattr("reid.learning.trainer.training.choose_dtype", lambda *_: torch.float16)
    return replace(plain, epochs=14, alarm=AlarmConfig(enabled=False), validation=ValidationConfig(share=0))


def test_float16_stops_where_no_scale_makes_gradients_finite(
    tmp_path: Path, in_float16: TrainConfig, make_crops: Callable[..., Crops]
) -> None:
    never = Spoiled(float("nan"), after=12)
    with pytest.raises(CollapseError, match=r"step 32: in float16 the gradient is not finite .*Take precision bfl"):
        train(in_float16, make_crops(), None, tmp_path / "m.onnx", make_objective=lambda _model, _classes: never)
    assert not (tmp_path / "m.onnx").exists()


def test_float16_may_leave_out_steps_until_a_scale_fits(
    tmp_path: Path, in_float16: TrainConfig, make_crops: Callable[..., Crops]
) -> None:
    steep = Spoiled(3e3, after=0)
    result = train(in_float16, make_crops(), None, tmp_path / "m.onnx", make_objective=lambda _model, _classes: steep)
    assert result.stopped == "done"
    assert torch.load(result.checkpoint, weights_only=True)["scaler"]["scale"] < 2**14


def test_pictures_that_cannot_be_told_apart_raise_the_alarm(
    tmp_path: Path, plain: TrainConfig, make_crops: Callable[..., Crops]
) -> None:
    config = replace(
        plain,
        epochs=20,
        loss=LossConfig(identity_weight=0, triplets_on="before_neck"),
        optimizer=OptimizerConfig(learning_rate=1e-3),
        alarm=AlarmConfig(after_steps=4, for_steps=6),
    )
    with pytest.raises(CollapseError, match=r"this has collapsed\. .*look whether the labels are right"):
        train(config, make_crops(grey=True), None, tmp_path / "m.onnx")
