"""A teacher beside the labels: where its vectors come from, what they do, and that a run with one goes on exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reid import Card, Embedder, ModelError
from reid.data import Crops
from reid.data.pictures import MemoryPictures
from reid.errors import InputError
from reid.learning.trainer import LossConfig, TrainConfig, TrainProgress, train
from reid.learning.trainer.history import read_history
from reid.learning.trainer.teacher import EmbedderTeacher

MakeCrops = Callable[..., Crops]
EVERYBODY = [(a, b) for a in range(10) for b in range(a)]
"""Pairs of identities of `make_crops`: all were seen together, so that of tracklets they can be told apart."""


class OfOneColour:
    """Finds alike whatever has the same upper colour; knows nothing of some crops."""

    def __init__(self, crops: Crops, unknown: int = 0) -> None:
        pixels = crops.pixels(np.arange(len(crops)), 64, 32)  # (N, 64, 32, 3)
        vectors = pixels[:, :32].mean(axis=(1, 2)) - 128.0  # (N, 3)
        self.vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        self.vectors[:unknown] = np.nan
        self.asked: list[int] = []

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        self.asked += rows.tolist()
        return self.vectors[rows]


def test_a_pupil_comes_nearer_to_its_teacher_than_one_that_hardly_listens(
    tmp_path: Path, plain: TrainConfig, make_crops: MakeCrops
) -> None:
    last = {}
    for weight in (1e-6, 10.0):
        crops, rows = make_crops(20), list[TrainProgress]()
        loss = LossConfig(triplet_weight=0.01, identity_weight=0, teacher_weight=weight)
        train(
            replace(plain, epochs=16, loss=loss), crops, make_crops(6, seed=1), tmp_path / f"{weight}.onnx",
            progress=rows.append, teacher=OfOneColour(crops),
        )  # fmt: skip
        last[weight] = rows[-1].teacher_loss or 0
    assert 0 < last[10.0] < 0.85 * last[1e-6]


def test_each_crop_is_shown_once_at_the_teachers_size(make_crops: MakeCrops, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = make_crops(3)
    teacher, embedder = EmbedderTeacher("default", crops, threads=1), Embedder("default", device="cpu", threads=1)
    shown: list[tuple[int, ...]] = []
    real = Embedder.crops

    def spied(self: Embedder, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        shown.append(pixels.shape)
        return real(self, pixels)

    monkeypatch.setattr(Embedder, "crops", spied)
    first, again = teacher(np.array([4, 1, 4])), teacher(np.array([1, 2, 4]))
    assert shown == [(2, 128, 64, 3), (1, 128, 64, 3)]
    np.testing.assert_array_equal(first[[1, 0]], again[[0, 2]])
    expected = real(embedder, crops.pixels(np.array([4, 1]), 128, 64))
    np.testing.assert_allclose(first[:2], expected, atol=1e-3)


def test_pupil_and_teacher_of_two_sizes_decode_each_picture_once_each(
    make_crops: MakeCrops, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = make_crops(3)
    decoded: list[int] = []
    real = MemoryPictures.read

    def counted(self: MemoryPictures, index: int, height_px: int, width_px: int) -> NDArray[np.uint8]:
        decoded.append(index)
        return real(self, index, height_px, width_px)

    monkeypatch.setattr(MemoryPictures, "read", counted)
    teacher = EmbedderTeacher("default", crops, threads=1)
    for rows in ([0, 1, 2], [2, 3], [0, 3]):
        crops.pixels(rows, 64, 32)
        teacher(np.array(rows))
    assert sorted(decoded) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_settings_name_a_teacher_and_the_card_says_so(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    taught = replace(config, epochs=1, loss=LossConfig(teacher=Path("default"), teacher_weight=2.0))
    plain = replace(config, epochs=1)
    rows: list[list[TrainProgress]] = [[], []]
    for number, settings in enumerate((taught, plain)):
        result = train(settings, make_crops(), None, tmp_path / f"{number}.onnx", progress=rows[number].append)
        assert result.model is not None
        assert ("cosines of default" in Card.from_json(result.model.read_text()).training) == (number == 0)
    first, other = rows[0][0], rows[1][0]
    assert first.teacher_loss is not None
    assert other.teacher_loss is None
    assert first.loss == pytest.approx((first.triplet_loss or 0) + (first.identity_loss or 0) + 2 * first.teacher_loss)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_callable_teacher_may_be_all_there_is_to_learn_from(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, labelled: bool
) -> None:
    crops, rows = make_crops(labelled=labelled, together=EVERYBODY), list[TrainProgress]()
    alone = replace(config, epochs=1, loss=LossConfig(triplet_weight=0, identity_weight=0, teacher_weight=2.0))
    train(alone, crops, make_crops(6, seed=1), tmp_path / "m.onnx", progress=rows.append, teacher=OfOneColour(crops))
    assert rows
    for row in rows:
        assert (row.triplet_loss, row.identity_loss) == (None, None)
        assert row.loss == pytest.approx(2 * (row.teacher_loss or 0))
        assert row.gradient_norm > 0


@pytest.mark.parametrize(
    ("labelled", "identity_weight", "why"),
    [
        (True, 0.0, "loss.triplet_weight or loss.identity_weight must be above 0, or a teacher given: there is"),
        (False, 1.0, "loss.triplet_weight must be above 0, or a teacher given: tracklets have no identities to name"),
    ],
)
def test_a_training_with_nothing_to_learn_from_is_refused(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, labelled: bool, identity_weight: float, why: str
) -> None:
    nothing = replace(config, epochs=1, loss=LossConfig(triplet_weight=0, identity_weight=identity_weight))
    crops, held_out = make_crops(labelled=labelled, together=EVERYBODY), make_crops(6, seed=1)
    with pytest.raises(InputError, match=rf"^{why}.*nothing to learn from"):
        train(nothing, crops, held_out, tmp_path / "m.onnx")
    train(nothing, crops, held_out, tmp_path / "m.onnx", teacher=OfOneColour(crops))  # nothing stands in its way


def test_a_run_with_a_teacher_goes_on_exactly(tmp_path: Path, config: TrainConfig, make_crops: MakeCrops) -> None:
    crops = make_crops()

    def run(name: str, **options: object) -> Path:
        teacher = OfOneColour(crops, unknown=7)
        return train(config, crops, None, tmp_path / name, teacher=teacher, **options).history  # type: ignore[arg-type]

    steps = iter(range(1, 100))
    whole = run("whole.onnx")
    run("parts.onnx", stop=lambda: next(steps) == 5)
    parts = run("parts.onnx", existing="resume")
    ours, theirs = ([(r.step, r.loss, r.teacher_loss) for r in read_history(path)] for path in (parts, whole))
    assert ours == theirs


def test_a_teacher_that_is_not_there_is_refused_before_anything_is_written(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    missing = LossConfig(teacher=tmp_path / "no.onnx")
    with pytest.raises(ModelError, match=r"no\.onnx"):
        train(replace(config, loss=missing), make_crops(), None, tmp_path / "m.onnx")
    assert not (tmp_path / "m.train" / "checkpoint.pt").exists()
    with pytest.raises(InputError, match="teacher_weight must be a finite number above 0, got 0"):
        LossConfig(teacher_weight=0)
    assert LossConfig(triplet_weight=0, identity_weight=0, teacher=Path("default")).teacher == Path("default")
