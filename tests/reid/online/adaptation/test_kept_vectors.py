"""Vectors of a harvest can be stopped and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reid.data import Crops
from reid.data.config import DataConfig
from reid.data.stores import read_store_crops
from reid.online.kept_vectors import StoppedError, vectors_of

Film = Callable[..., Path]


class Eyes:
    """Mean colours; takes down how many crops it saw."""

    def __init__(self, model_hash: str = "aa") -> None:
        self.card = SimpleNamespace(height_px=4, width_px=2, dimension=3, resize="linear")
        self.info = SimpleNamespace(model_hash=model_hash)
        self.seen = 0

    def crops(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.seen += len(pixels)
        found = pixels.mean(axis=(1, 2)) + 1
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def never() -> bool:
    return False


@pytest.fixture
def crops(film: Film) -> Crops:
    """216 crops."""
    return read_store_crops(film(people=18), DataConfig())


def stopped_after(eyes: Any, crops: Crops, batches: int, folder: Path) -> Path:
    answers = iter([False] * batches + [True])
    with pytest.raises(StoppedError):
        vectors_of(eyes, crops, lambda: next(answers), folder)
    (file,) = folder.iterdir()
    return file


def test_it_goes_on_where_it_was_stopped(crops: Crops, tmp_path: Path) -> None:
    eyes: Any = Eyes()
    (folder := tmp_path / "kept").mkdir()
    whole = vectors_of(eyes, crops, never)
    assert whole.shape == (216, 3)
    stopped_after(eyes, crops, 2, folder)
    eyes.seen = 0
    assert np.array_equal(vectors_of(eyes, crops, never, folder), whole)
    assert eyes.seen == 216 - 128
    eyes.seen = 0
    assert np.array_equal(vectors_of(eyes, crops, never, folder), whole)
    assert eyes.seen == 216 - 192, "the last batch was not a whole one"


@pytest.mark.parametrize("damage", ["half", "zeros", "no numbers", "none"])
def test_what_a_machine_without_power_left_is_made_anew(crops: Crops, tmp_path: Path, damage: str) -> None:
    eyes: Any = Eyes()
    other: Any = Eyes()
    (folder := tmp_path / "kept").mkdir()
    file = stopped_after(eyes, crops, 2, folder)
    data = file.read_bytes()
    assert len(data) == 128 * 3 * 4
    left = {"half": data[:-5], "zeros": data[:-24] + b"\0" * 24, "no numbers": data[:-24] + b"\xff" * 24, "none": b""}
    file.write_bytes(left[damage])
    eyes.seen = 0
    whole = vectors_of(other, crops, never)
    assert np.array_equal(vectors_of(eyes, crops, never, folder), whole)
    assert eyes.seen == (216 if damage == "none" else 216 - 64)
    eyes.seen = 0
    assert np.array_equal(vectors_of(eyes, crops, never, folder), whole)
    assert eyes.seen == 216 - 192, "what was damaged is gone"


def test_those_of_other_crops_or_another_embedder_are_not_taken(crops: Crops, tmp_path: Path) -> None:
    eyes: Any = Eyes()
    other: Any = Eyes("bb")
    (folder := tmp_path / "kept").mkdir()
    stopped_after(eyes, crops, 2, folder)
    eyes.seen = 0
    assert len(vectors_of(eyes, crops.subset(np.arange(1, 216)), never, folder)) == 215
    assert eyes.seen == 215
    vectors_of(other, crops, never, folder)
    assert other.seen == 216
