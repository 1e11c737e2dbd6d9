"""Detections of a while ago are tracked again, with the vectors of any embedder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker import Detections, TrackerConfig
from tracker.replay import replay
from tracker.types import EmbedRows, FloatArray, IntArray

PEOPLE, FRAMES, RATE_HZ = 4, 120, 10
GONE = range(40, 70)


@dataclass(frozen=True)
class Info:
    dimension: int = 16
    model_hash: str = "ab"
    calibration: Any = None


def film(noise: float) -> Iterator[tuple[float, Detections, EmbedRows]]:
    """Four who stand, are away for three seconds, and come back in another order: motion does not tell who they are."""
    rng = np.random.default_rng(0)
    for frame in range(FRAMES):
        who = (np.arange(PEOPLE) + 2 * (frame >= GONE.stop)) % PEOPLE if frame not in GONE else np.zeros(0, np.int64)
        left = 50.0 + 150 * np.arange(len(who))
        boxes = np.stack((left, 0 * left + 100, left + 50, 0 * left + 220), axis=1)

        def embed(rows: IntArray, who: IntArray = who) -> FloatArray:
            vectors = np.eye(16)[who[rows]] + noise * rng.normal(size=(len(rows), 16))
            return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

        yield 1000 + frame / RATE_HZ, Detections(boxes, np.full(len(who), 0.9)), embed


def test_who_comes_back_is_known_again_or_gets_another_number() -> None:
    found = replay(film(0.05), Info())
    assert (found.births, found.breaks) == (PEOPLE, 2 * PEOPLE)
    assert found.confusion == 0
    assert found.crops == PEOPLE * (FRAMES - len(GONE) - 2)  # all but the first ones of each visit
    blind = replay(film(100.0), Info())
    assert blind.births > PEOPLE
    assert 0.3 < blind.confusion < 0.7


def test_vectors_that_were_there_already_count_too() -> None:
    def half_known() -> Iterator[tuple[float, Detections, EmbedRows]]:
        for time_s, seen, embed in film(0.05):
            rows = np.arange(len(seen))
            vectors = embed(rows) if len(seen) else np.zeros((0, 16), np.float32)
            yield time_s, Detections(seen.boxes, seen.scores, None, vectors, rows % 2 == 0), embed

    assert replay(half_known(), Info()).crops == PEOPLE * (FRAMES - len(GONE) - 2)


def test_it_begins_with_the_settings_that_it_is_given() -> None:
    assert replay(film(0.05), Info(), TrackerConfig(memory_s=0.0)).births > PEOPLE
    assert replay(film(0.05), Info(), TrackerConfig(birth_score=0.95)).births == 0


def test_it_stops_when_told() -> None:
    answers = iter([False, False, True])
    frames = film(0.05)
    assert replay(frames, Info(), stop=lambda: next(answers)).births == PEOPLE
    assert len(list(frames)) == FRAMES - 3
