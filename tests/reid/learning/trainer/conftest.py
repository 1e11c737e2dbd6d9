"""A world that a small network learns in seconds: plates of two colours, seen in noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from reid.card import Card  # noqa: E402
from reid.data import Crops  # noqa: E402
from reid.data.pictures import MemoryPictures  # noqa: E402
from reid.learning.augment_config import AugmentConfig  # noqa: E402
from reid.learning.model_config import ModelConfig  # noqa: E402
from reid.learning.sampling import SamplerConfig  # noqa: E402
from reid.learning.trainer import OptimizerConfig, TrainConfig, ValidationConfig  # noqa: E402

MakeCrops = Callable[..., Crops]
NO_AUGMENTATION = AugmentConfig(
    flip=0, occlude=0, crop=0, colour=0, shadow=0, low_resolution=0, blur=0, erase=0
)  # fmt: skip


def plates(
    identities: int = 10, pictures: int = 6, *, seed: int = 0, labelled: bool = True, grey: bool = False, **options: Any
) -> Crops:
    """`pictures` of each identity, 64x32: its upper and lower colour, with noise; or all of them plain grey."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (identities, 2, 3))
    colours[:] = 128 if grey else colours
    source = MemoryPictures(1 << 26)
    for identity in range(identities):
        for number in range(pictures):
            picture = np.repeat(colours[identity], 32, axis=0)[:, None].repeat(32, axis=1)  # (64, 32, 3)
            noisy = picture + rng.normal(0, 0 if grey else 25, picture.shape)
            source.add(np.clip(noisy, 0, 255).astype(np.uint8), f"{identity}/{number}.png")
    names = [str(number) for number in range(identities)]
    return Crops(source, np.repeat(np.arange(identities), pictures), names, labelled=labelled, **options)


@pytest.fixture(autouse=True)
def _export(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing a graph takes longer than these trainings: only tests that ask for `real_export` do it."""

    def write(model: torch.nn.Module, card: Card, path: Path, *, seed: int = 0) -> Path:
        assert not model.training or model.eval()
        path.write_text(card.to_json())
        return path

    if "real_export" not in request.fixturenames:
        monkeypatch.setattr("reid.learning.trainer.finish.export_onnx", write)


@pytest.fixture
def real_export() -> None:
    """See above."""


@pytest.fixture
def make_crops() -> MakeCrops:
    """See `plates`."""
    return plates


@pytest.fixture
def config() -> TrainConfig:
    """A training of 12 steps that takes about a second."""
    return TrainConfig(
        epochs=4,
        epoch_steps=3,
        device="cpu",
        log_every=2,
        model=ModelConfig(height_px=64, width_px=32, dimension=16),
        sampler=SamplerConfig(identities=4, pictures=3),
        optimizer=OptimizerConfig(learning_rate=3e-3),
        validation=ValidationConfig(every=2),
    )


@pytest.fixture
def plain(config: TrainConfig) -> TrainConfig:
    """The same without augmentation."""
    return replace(config, augmentation=NO_AUGMENTATION)


@pytest.fixture(scope="session")
def plates_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder an identity, as a user has it."""
    folder = tmp_path_factory.mktemp("data") / "plates"
    rng = np.random.default_rng(0)
    for identity in range(10):
        (folder / str(identity)).mkdir(parents=True)
        colours = rng.integers(0, 256, (2, 1, 3)).repeat(32, axis=0)  # (64, 1, 3)
        for number in range(5):
            noisy = colours + rng.normal(0, 25, (64, 32, 3))
            picture = np.clip(noisy, 0, 255).astype(np.uint8)
            assert cv2.imwrite(str(folder / str(identity) / f"{number}.png"), picture)
    return folder
