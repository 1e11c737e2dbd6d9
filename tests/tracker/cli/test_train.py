"""`reidtrack train`: which data it validates on, and what it says of the score."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from tracker.cli.main import main

pytest.importorskip("torch", reason="training needs torch")


def save(folder: Path, names: list[str], seed: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for name in names:
        assert cv2.imwrite(str(folder / f"{name}.png"), rng.integers(0, 256, (16, 8, 3), np.uint8))


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a training that trains nothing was asked to validate on."""
    seen: list[Any] = []

    def train(_config: object, _crops: object, validation: object, out: Path, **_: object) -> SimpleNamespace:
        seen.append(validation)
        found = {"stopped": "done", "step": 3, "best_step": 2, "best_map": 0.5, "best_rank1": 0.25}
        return SimpleNamespace(**found, model=out, history=None, curves=None, checkpoint=None)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("reid.learning.trainer.train", train)
    return seen


def test_the_pictures_that_are_trained_on_are_refused_for_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, who in enumerate("abc"):
        save(tmp_path / "own" / who, ["1", "2", "3"], seed)
    assert main(["train", "own", "--validate-on", "own"]) == 1
    said = capsys.readouterr().err
    assert "held-out data must hold no picture that is trained on" in said
    assert "got 9 such of 9: own/a/1.png" in said
    assert not (tmp_path / "model.train").exists()


def test_a_whole_data_set_validates_on_its_gallery(
    tmp_path: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, (part, who) in enumerate(
        (("bounding_box_train", "0002"), ("query", "0003"), ("bounding_box_test", "0003"))
    ):
        save(tmp_path / "market" / part, [f"{who}_c{camera}s1_000451_0{seed}" for camera in (1, 2)], seed)
    assert main(["train", "market", "--validate-on", "market"]) == 0
    [validation] = asked
    assert {Path(validation.picture_name(row)).parent.name for row in range(2)} == {"bounding_box_test"}
    shown = capsys.readouterr().out
    assert "mAP 0.500, rank-1 0.250 on market" in shown, "whether it was trained on them, nobody checked"


def test_without_other_data_the_score_is_of_identities_that_were_held_out(
    tmp_path: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "own" / "a", ["1", "2"], 0)
    assert main(["train", "own"]) == 0
    assert asked == [None]
    assert "rank-1 0.250 on identities that it was not trained on" in capsys.readouterr().out
