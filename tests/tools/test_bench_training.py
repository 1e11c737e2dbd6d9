"""The benchmark of training, on colours that a histogram knows as well."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

from reid.data import open_crops
from reid.learning.trainer import TrainConfig

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """tools/bench_training.py as a module."""
    spec = importlib.util.spec_from_file_location("bench_training", ROOT / "tools" / "bench_training.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_histogram_is_of_unit_length_and_knows_colours(bench: ModuleType) -> None:
    rng = np.random.default_rng(0)
    red, blue = (np.full((128, 64, 3), colour, np.float64) for colour in ((20, 20, 220), (220, 20, 20)))
    noisy = [np.clip(colour + rng.normal(0, 5, colour.shape), 0, 255).astype(np.uint8) for colour in (red, red, blue)]
    vectors = bench.histogram(np.stack(noisy))
    assert vectors.shape == (3, 768)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.8 > vectors[0] @ vectors[2]


def test_settings_are_those_of_the_command(bench: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("epochs: 3\nmodel: {width_px: 96}\ndata: {cache_mb: 7}\n")
    values = bench.settings(path)
    assert values == {
        ("epochs",): 3,
        ("model", "height_px"): 128,
        ("model", "width_px"): 96,
        ("threads",): 1,
    }


def test_a_split_is_trained_and_measured_beside_the_yardsticks(bench: ModuleType, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for identity in range(15):
        (tmp_path / "data" / str(identity)).mkdir(parents=True)
        colours = rng.integers(0, 256, (2, 1, 3)).repeat(32, axis=0)  # (64, 1, 3)
        for number in range(4):
            picture = np.clip(colours + rng.normal(0, 20, (64, 32, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "data" / str(identity) / f"{number}.png"), picture)
    config = TrainConfig(epochs=2, epoch_steps=5, device="cpu", threads=1)
    config = replace(config, model=replace(config.model, height_px=64, width_px=32, dimension=16))
    crops = open_crops(tmp_path / "data")
    row = bench.run_seed(crops, 5, config, ROOT / "reid" / "weights" / "default.onnx", tmp_path)
    assert (row["unseen_identities"], row["unseen_pictures"]) == (3, 12)
    best = max(row["histogram_rank_1"], row["yardstick_rank_1"])
    assert row["gain"] == pytest.approx(row["trained_rank_1"] - best)
    assert "rank-1 on 3 unseen identities: trained " in bench.line(row)
