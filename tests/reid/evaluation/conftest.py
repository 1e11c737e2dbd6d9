"""Coloured cut-outs with names, and an embedder that sees nothing but mean colours."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from reid import Calibration
from reid.data.crops import Crops
from reid.data.pictures import MemoryPictures

COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40), (40, 200, 200), (200, 40, 200))


def cut_out(identity: int, seed: int, height: int = 64, width: int = 32) -> NDArray[np.uint8]:
    """(height, width, 3): the identity's colour above, its neighbour's below, and noise."""
    noise = np.random.default_rng((identity, seed)).integers(-35, 36, (height, width, 3))
    picture = np.empty((height, width, 3), np.int64)
    picture[: height // 2] = COLOURS[identity % len(COLOURS)]
    picture[height // 2 :] = COLOURS[(identity + 1 + identity // len(COLOURS)) % len(COLOURS)]
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


class ColourEmbedder:
    """Mean colours of eight stripes; `calls` counts the crops that it was given."""

    def __init__(self, calibration: Calibration | None = None) -> None:
        self.card = SimpleNamespace(
            height_px=32, width_px=16, dimension=24, calibration=calibration, name="colours", resize="linear"
        )
        self.calls = 0

    def crops(self, pixels: Any) -> NDArray[np.float32]:
        self.calls += len(pixels)
        small = np.array([cv2.resize(picture, (1, 8), interpolation=cv2.INTER_AREA) for picture in pixels])
        vectors = small.reshape(len(small), 24).astype(np.float32) - 120
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture
def embedder() -> ColourEmbedder:
    return ColourEmbedder()


@pytest.fixture
def crops() -> Crops:
    """Five crops of each of six identities, a second apart."""
    pictures = MemoryPictures(1 << 24)
    for row in range(30):
        pictures.add(cut_out(row // 5, row), f"crop {row}")
    return Crops(
        pictures,
        np.repeat(np.arange(6), 5),
        [f"street/{name}" for name in "abcdef"],
        time_s=np.tile(np.arange(5.0), 6),
        group=np.zeros(30, np.int64),
    )


@pytest.fixture
def people_folder(tmp_path: Path) -> Path:
    """A folder an identity, on disk."""
    folder = tmp_path / "people"
    for identity in range(6):
        (folder / f"person{identity}").mkdir(parents=True)
        for number in range(4):
            cv2.imwrite(str(folder / f"person{identity}" / f"{number}.png"), cut_out(identity, number))
    return folder
