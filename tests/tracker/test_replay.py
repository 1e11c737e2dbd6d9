"""Detections of a while ago are tracked again, with the vectors of any embedder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tracker.replay import replay
from tracker.types import FloatArray, Image, IntArray

PEOPLE, FRAMES, RATE_HZ = 4, 120, 10
GONE = range(40, 70)


@dataclass(frozen=True)
class Info:
    frame_size: tuple[int, int] = (640, 480)
    tracker: Mapping[str, Any] = field(default_factory=dict)


class Burst:
    """Four who stand, and are away for three seconds; a crop is a grey picture that says who it is."""

    def __init__(self, info: Info | None = None) -> None:
        self.info = info or Info()
        self.time_s = 1000 + np.arange(FRAMES) / RATE_HZ
        present = np.array([0 if frame in GONE else PEOPLE for frame in range(FRAMES)])
        self.first = np.concatenate(([0], np.cumsum(present)))
        who = np.tile(np.arange(PEOPLE), int(present.sum()) // PEOPLE)
        self._shown = who
        # they come back in another order, so that motion tells nothing
        place = np.where(np.arange(len(who)) >= self.first[GONE.start], (who + 2) % PEOPLE, who)
        corners = np.stack((50 + 150 * place, np.full(len(who), 100.0)), axis=1)
        self.boxes = np.concatenate((corners, corners + np.array([50, 120])), axis=1).astype(np.float32)
        self.scores, self.classes = np.full(len(who), 0.9, np.float32), np.zeros(len(who), np.int64)

    def crops(self, rows: IntArray) -> list[Image]:
        return [np.full((4, 2, 3), 10 * who, np.uint8) for who in self._shown[rows].tolist()]


@dataclass(frozen=True)
class EmbedderInfo:
    dimension: int = 16
    model_hash: str = "ab"
    calibration: Any = None


class Embedder:
    """Knows everybody, or mixes them up by chance."""

    def __init__(self, *, blind: bool = False) -> None:
        self.info, self._blind = EmbedderInfo(), blind
        self._rng = np.random.default_rng(0)
        self.asked = 0

    def crops(self, pixels: Sequence[Image]) -> FloatArray:
        self.asked += len(pixels)
        who = np.array([crop[0, 0, 0] // 10 for crop in pixels], np.int64)
        clean = np.eye(16)[who]
        vectors = self._rng.normal(size=(len(who), 16)) + (0 if self._blind else 20 * clean)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_who_comes_back_is_known_again_or_gets_another_number() -> None:
    seeing, blind = Embedder(), Embedder(blind=True)
    found = replay(Burst(), seeing)
    assert (found.births, found.breaks) == (PEOPLE, 2 * PEOPLE)
    assert seeing.asked == PEOPLE * (FRAMES - len(GONE))
    assert replay(Burst(), blind).births > PEOPLE


def test_it_begins_with_the_settings_of_the_tracker_that_ran() -> None:
    settings = {"memory_s": 0.0, "a_later_version_has_this": 1}
    assert replay(Burst(Info(tracker=settings)), Embedder()).births > PEOPLE
    assert replay(Burst(Info(tracker={"birth_score": 0.95})), Embedder()).births == 0


def test_it_is_the_same_every_time_and_stops_when_told() -> None:
    assert replay(Burst(), Embedder(blind=True)) == replay(Burst(), Embedder(blind=True))
    asked = Embedder()
    assert replay(Burst(), asked, stop=lambda: asked.asked > 10).births == PEOPLE
    assert asked.asked < 30


@pytest.mark.parametrize("frames", [0, 1])
def test_short_ones(frames: int) -> None:
    burst = Burst()
    burst.time_s = burst.time_s[:frames]
    assert replay(burst, Embedder()).births == frames * PEOPLE
