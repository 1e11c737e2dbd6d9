"""The parts of the trainer by themselves."""

from __future__ import annotations

import math
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from reid.data import Crops
from reid.data.pictures import MemoryPictures
from reid.errors import DeviceError, InputError, ModelError, ReidError
from reid.learning.loss_choices import MiningName as Mining
from reid.learning.losses import TripletLoss
from reid.learning.mining import MINING
from reid.learning.model_config import ModelConfig
from reid.learning.trainer import (
    AlarmConfig,
    LossConfig,
    OptimizerConfig,
    TrainConfig,
    TrainProgress,
    ValidationConfig,
)
from reid.learning.trainer.averaging import AveragedWeights
from reid.learning.trainer.checkpoint import check_same_run, describe_run, load_checkpoint, save_atomically
from reid.learning.trainer.curves import CurvesFile, draw_curves
from reid.learning.trainer.device import choose_dtype, open_device
from reid.learning.trainer.history import CsvHistory, read_history
from reid.learning.trainer.meter import Meter
from reid.learning.trainer.randomness import seed_of
from reid.learning.trainer.schedule import learning_rate

ROW = TrainProgress(
    step=10, steps=100, epoch=1, learning_rate=1e-3, loss=1.25, triplet_loss=0.1 + 0.2, identity_loss=None,
    active_share=0.5, positive_distance=0.8, negative_distance=1.2, mean_cosine=-0.01, gradient_norm=2.0, data_s=0.0,
    compute_s=1e-05,
)  # fmt: skip


def test_every_miner_can_be_chosen() -> None:
    assert set(get_args(Mining)) == set(MINING)
    for name in get_args(Mining):
        TripletLoss(mining=LossConfig(mining=name).mining)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LossConfig(margin=0), 'margin must be "soft" or a finite number above 0, got 0'),
        (lambda: LossConfig(triplet_weight=-1), "triplet_weight must be a finite number of at least 0, got -1"),
        (lambda: LossConfig(label_smoothing=1), "label_smoothing must be at least 0 and below 1, got 1"),
        (lambda: OptimizerConfig(learning_rate=0), "learning_rate must be a finite number above 0, got 0"),
        (lambda: OptimizerConfig(learning_rate=float("nan")), "learning_rate must be a finite number above 0, got nan"),
        (lambda: OptimizerConfig(clip_norm=0), "clip_norm must be a finite number above 0, got 0"),
        (lambda: OptimizerConfig(warmup_share=1), r"warmup_share must be within 0\.\.0\.9, got 1"),
        (lambda: OptimizerConfig(average_decay=1), r"average_decay must be within 0\.\.0\.99999, got 1"),
        (lambda: ValidationConfig(share=1), r"share must be within 0\.\.0\.9, got 1"),
        (lambda: ValidationConfig(every=0), "every must be a whole number of at least 1, got 0"),
        (lambda: AlarmConfig(mean_cosine=2), r"mean_cosine must be within -1\.\.1, got 2"),
        (lambda: TrainConfig(epochs=0), "epochs must be a whole number of at least 1, got 0"),
        (lambda: TrainConfig(threads=0), "threads must be a whole number of at least 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_the_step_size_rises_to_its_highest_and_falls_to_its_share() -> None:
    config = OptimizerConfig(learning_rate=1.0, warmup_share=0.1, final_share=0.01)
    rates = [learning_rate(step, 100, config) for step in range(1, 101)]
    assert rates[9] == 1.0 == max(rates)
    assert rates[:10] == sorted(rates[:10])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[54] == pytest.approx(0.505)  # half-way down the cosine
    assert rates[-1] == pytest.approx(0.01)
    assert learning_rate(1, 3, replace(config, warmup_share=0.0)) < 1


def test_seeds_differ_wherever_a_word_does() -> None:
    seeds = {seed_of(*words) for words in [(0,), (0, 0), (0, 1), (1, 0), (0, 0, 1), (0, 1, 0), (2**40, 1)]}
    assert len(seeds) == 7
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_checkpoint_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "checkpoint.pt"
    save_atomically({"version": 1, "step": 1, "model": {"w": torch.ones(3)}}, path)

    def full_disk(content: object, file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_atomically({"version": 1, "step": 2, "model": {}}, path)
    assert load_checkpoint(path)["step"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_full_disk_is_called_that(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_atomically({"version": 1, "step": 1, "model": {"w": torch.ones(1 << 20)}}, tmp_path / "checkpoint.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


class Harmful:
    """What a hostile pickle would hold."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code was run",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"step": 1, "model": Harmful(), "version": 1}, "cannot be read"),
        ({"model": {}}, "must be one of a training"),
        ({"step": 1, "model": {}, "version": 99}, "must have version 1, got 99"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(
    tmp_path: Path, content: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(ModelError, match=message):
        load_checkpoint(tmp_path / "c.pt")
    assert "code was run" not in capsys.readouterr().out


def test_a_truncated_or_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    save_atomically({"version": 1, "step": 1, "model": {"w": torch.ones(3000)}}, tmp_path / "c.pt")
    (tmp_path / "half.pt").write_bytes((tmp_path / "c.pt").read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"half\.pt cannot be read"):
        load_checkpoint(tmp_path / "half.pt")
    with pytest.raises(ModelError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / "none.pt")


def test_what_differs_from_the_run_before_is_named() -> None:
    then = {"--seed": "0", "--epochs": "60"}
    check_same_run(then, dict(then), Path("c.pt"))
    with pytest.raises(ModelError, match="--epochs was 60, is 61"):
        check_same_run(then, {**then, "--epochs": "61"}, Path("c.pt"))


def test_what_an_older_version_did_not_write_down_is_no_difference() -> None:
    then = {"--seed": "0", "training data": "6 crops 12", "held-out data": "none"}
    now = {**then, "the content of --loss.teacher": "ab", "pictures compared by": "all their bytes"}
    check_same_run(then, now, Path("c.pt"))
    other = {"training data": "6 crops 34"}
    with pytest.raises(ModelError, match=r"was 6 crops 12, is 6 crops 34 \(an older version .* they may be the same\)"):
        check_same_run(then, {**now, **other}, Path("c.pt"))
    with pytest.raises(ModelError, match=r"was 6 crops 12, is 6 crops 34\. Give"):
        check_same_run(now, {**now, **other}, Path("c.pt"))
    with pytest.raises(ModelError, match=r"the content of --loss\.teacher was ab, is None"):
        check_same_run(now, {k: v for k, v in now.items() if "content" not in k}, Path("c.pt"))


def test_a_model_file_that_was_exchanged_under_its_name_is_another_run(tmp_path: Path) -> None:
    model, card = tmp_path / "strong.onnx", tmp_path / "strong.card.json"
    pictures = MemoryPictures(1 << 20)
    pictures.add(np.zeros((8, 4, 3), np.uint8), "0.png")
    crops = Crops(pictures, [0], ["a"])
    graph = ModelConfig(backbone="onnx", pretrained=model)
    for config, name in (
        (TrainConfig(loss=LossConfig(teacher=model)), r"--loss\.teacher"),
        (TrainConfig(model=graph), r"--model\.pretrained"),
    ):
        model.write_bytes(b"one")
        card.unlink(missing_ok=True)
        then = describe_run(config, crops, None, 1)
        check_same_run(then, describe_run(config, crops, None, 1), Path("c.pt"))
        for changed in (card, model):
            changed.write_bytes(b"another")
            with pytest.raises(ModelError, match=f"cannot be resumed: the content of {name} was .*, is "):
                check_same_run(then, describe_run(config, crops, None, 1), Path("c.pt"))
            card.unlink(missing_ok=True)


def test_the_history_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    rows = [ROW, replace(ROW, step=20, validation_map=1 / 3, validation_rank1=0.5)]
    first = CsvHistory(path, rows[:1])
    first.add(rows[1])
    assert read_history(path) == rows, "a row is on the disk at once"
    first.close()
    path.write_text(path.read_text() + "30,100,1,0.0")  # cut short by a kill
    assert read_history(path) == rows
    CsvHistory(path, rows).close()
    assert path.read_text().count("\n") == 3


def test_curves_are_drawn_where_there_is_something_to_draw(tmp_path: Path) -> None:
    empty = draw_curves([])
    assert empty.shape == (1000, 960, 3)
    rows = [
        replace(ROW, step=step, loss=1 / step, validation_map=0.5 if step % 20 == 0 else None)
        for step in range(10, 101, 10)
    ]
    curves = CurvesFile(tmp_path / "curves.png", rows[:1])
    curves.add(rows[1])
    drawn = cv2.imread(str(tmp_path / "curves.png"))
    for row in rows[2:]:
        curves.add(row)
    curves.close()
    full = cv2.imread(str(tmp_path / "curves.png"))
    for panel in (0, 1, 2, 3):  # each has more to show than before
        part = np.s_[panel * 250 : (panel + 1) * 250]
        if panel in (0, 3):
            assert (full[part] != drawn[part]).any()
        assert (full[part] != empty[part]).any()
    assert [p.name for p in tmp_path.iterdir()] == ["curves.png"]


def test_curves_of_numbers_that_are_not_finite_are_drawn_without_them() -> None:
    assert draw_curves([replace(ROW, loss=math.nan), replace(ROW, step=20, loss=math.inf)]).shape == (1000, 960, 3)


def test_a_meter_gives_means_and_goes_on_from_a_checkpoint() -> None:
    one, other = Meter(), Meter()
    for value in (1.0, 2.0):
        one.add({"loss": torch.tensor(value), "identity_loss": None}, data_s=0.1, compute_s=0.2)
    other.restore(one.state(), torch.device("cpu"))
    for meter in (one, other):
        meter.add({"loss": torch.tensor(6.0), "identity_loss": None}, data_s=0.1, compute_s=0.2)
        assert meter.means()["loss"] == 3.0
        assert meter.means()["identity_loss"] is None
        assert meter.finite()
    one.add({"loss": torch.tensor(float("nan"))}, data_s=0, compute_s=0)
    assert not one.finite()


def test_averaged_weights_lag_behind_and_arrive() -> None:
    module = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    average = AveragedWeights(module, 0.9)
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[1].running_mean.fill_(5.0)
    start = average.module[0].weight.clone()
    average.update(module, 1)
    assert ((average.module[0].weight - start).abs() <= (1 - start).abs()).all()
    for step in range(2, 200):
        average.update(module, step)
    torch.testing.assert_close(average.module[0].weight, module[0].weight, atol=1e-4, rtol=0)
    torch.testing.assert_close(average.module[1].running_mean, module[1].running_mean, atol=1e-3, rtol=0)


def test_devices_and_precisions() -> None:
    assert open_device("cpu").type == "cpu"
    cpu = torch.device("cpu")
    assert choose_dtype("auto", cpu) == torch.float32
    assert choose_dtype("bfloat16", cpu) == torch.bfloat16
    with pytest.raises(DeviceError, match="float16 cannot be used on a CPU"):
        choose_dtype("float16", cpu)
    with pytest.raises(InputError, match="device must be auto, cpu, cuda or cuda:N, got 'gpu'"):
        TrainConfig(device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="finds no GPU"):
            open_device("cuda")


def test_tensorboard_is_written_or_its_extra_is_named(tmp_path: Path) -> None:
    from reid.learning.trainer.tensorboard import TensorboardFolder

    try:
        import tensorboard  # noqa: F401
    except ImportError:
        with pytest.raises(ReidError, match=r'pip install "reidtrack\[tensorboard\]"'):
            TensorboardFolder(tmp_path)
        return
    folder = TensorboardFolder(tmp_path)
    folder.add(ROW)
    folder.close()
    [events] = tmp_path.glob("events.out.tfevents.*")
    assert b"training/loss" in events.read_bytes()
