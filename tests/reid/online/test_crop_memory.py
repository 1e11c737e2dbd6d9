"""What is remembered of everybody, within its bounds, and under the right number."""

from __future__ import annotations

import numpy as np
import pytest

from reid import InputError
from reid.online.crop_memory import CropMemory, CropMemoryConfig


def crop(colour: tuple[int, int, int], *, height: int = 40, noise: int = 0) -> np.ndarray:
    rng = np.random.default_rng(noise)
    return np.clip(np.full((height, 20, 3), colour) + rng.integers(-3, 4, (height, 20, 3)), 0, 255).astype(np.uint8)


RED, GREEN, BLUE = crop((30, 30, 220)), crop((30, 220, 30)), crop((220, 30, 30))


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def colours(memory: CropMemory, number: int, **times: float) -> list[str]:
    """Which of the three each crop is."""
    names = ("blue", "green", "red")
    return [names[int(c.pixels().mean(axis=(0, 1)).argmax())] for c in memory.of(number, **times)]


def test_crops_come_back_as_they_were_but_for_the_compression() -> None:
    memory = CropMemory()
    tall = np.random.default_rng(1).integers(0, 256, (1000, 300, 3), np.uint8)
    memory.remember(ids(1, 2), [RED, tall], 0.0)
    assert np.abs(memory.of(1)[0].pixels().astype(int) - RED).max() <= 8
    assert memory.of(2)[0].pixels().shape == (256, 77, 3)
    assert memory.of(3) == []
    assert len(memory) == 2


def test_what_looks_alike_makes_room_for_what_does_not() -> None:
    memory = CropMemory(CropMemoryConfig(crops=3))
    for second in range(30):
        memory.remember(ids(1), [crop((30, 30, 220), noise=second)], float(second))
        if second in (3, 5):
            memory.remember(ids(1), [GREEN if second == 3 else BLUE], second + 0.5)
    assert sorted(colours(memory, 1)) == ["blue", "green", "red"]
    assert max(c.time_s for c in memory.of(1)) == 29  # of those alike the newest is kept


def test_bytes_are_bounded_and_those_seen_longest_ago_go_first() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (200, 40, 64, 3), np.uint8)
    for most_bytes, all_are_known in ((200_000, False), (600_000, True)):
        memory = CropMemory(CropMemoryConfig(crops=4, most_bytes=most_bytes))
        for second, picture in enumerate(noise):
            memory.remember(ids(second % 40), [picture], float(second))
            assert memory.size_bytes <= most_bytes
            assert memory.size_bytes == sum(c.size_bytes for n in range(40) for c in memory.of(n))
        counts = np.array([len(memory.of(n)) for n in range(40)])
        assert (counts[-10:] >= 1).all()
        assert memory.of(39)[-1].time_s == 199
        assert (counts >= 1).all() == all_are_known
        assert (counts[-1] > 1) == all_are_known
    tiny = CropMemory(CropMemoryConfig(most_bytes=10))
    tiny.remember(ids(1), [RED], 0.0)
    assert (len(tiny), tiny.size_bytes) == (0, 0)


def test_what_was_seen_since_a_correction_holds_belongs_to_the_other_number() -> None:
    memory = CropMemory()
    for second, picture in enumerate((RED, GREEN, BLUE)):
        memory.remember(ids(1), [picture], float(second))
    memory.renamed(1, 2, since_s=1.0)
    assert colours(memory, 1) == ["red"]
    assert colours(memory, 2) == ["green", "blue"]
    assert colours(memory, 2, until_s=1.0) == ["green"]
    memory.renamed(2, 1, since_s=0.0)
    assert colours(memory, 1) == ["red", "green", "blue"]
    assert len(memory) == 1
    memory.renamed(7, 1, since_s=0.0)
    assert len(memory.of(1)) == 3


def test_what_is_forgotten_is_gone() -> None:
    memory = CropMemory()
    memory.remember(ids(1, 2, 3), [RED, GREEN, BLUE], 0.0)
    memory.forget(ids(1, 9))
    assert memory.of(1) == []
    memory.keep_only(ids(3, 8))
    assert [memory.of(n) != [] for n in (1, 2, 3)] == [False, False, True]
    memory.forget(ids(3))
    assert memory.size_bytes == 0


def test_only_crops_without_a_vector_of_that_model_are_left_to_look_at() -> None:
    memory = CropMemory()
    memory.remember(ids(1), [RED], 0.0)
    memory.remember(ids(2), [GREEN], 1.0)
    memory.of(2)[0].vector = ("one", np.zeros(3, np.float32))
    assert memory.not_seen_by("one") == memory.of(1)
    assert memory.not_seen_by("another") == [*memory.of(2), *memory.of(1)]


def test_wrong_arguments_are_refused() -> None:
    memory = CropMemory()
    for pictures in ([RED, RED], [RED.astype(float)], [RED[:, :, 0]], [RED[:0]]):
        with pytest.raises(InputError):
            memory.remember(ids(1), pictures, 0.0)
    assert len(memory) == 0
    for wrong in ({"crops": 0}, {"most_bytes": 1.5}, {"jpeg_quality": 101}, {"most_height_px": True}):
        with pytest.raises(InputError):
            CropMemoryConfig(**wrong)
