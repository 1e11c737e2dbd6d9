"""Histories with known people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker.refinement import Appearance, History

RATE_HZ = 10.0
SIZE = (1000, 500)


def walk(track_id: int, first: int, last: int, x: float, y: float = 250.0, step: float = 0.0, height: float = 100.0):
    """Rows (n, 6) frame, id, box of somebody who walks `step` pixels a frame from centre (x, y)."""
    frames = np.arange(first, last + 1)
    cx = x + step * (frames - first)
    half = height / 4, height / 2
    boxes = np.c_[cx - half[0], np.full(len(cx), y - half[1]), cx + half[0], np.full(len(cx), y + half[1])]
    return np.c_[frames, np.full(len(frames), track_id), boxes]


@pytest.fixture(scope="session")
def history():
    """All walks in one video; each is the arguments of `walk`."""

    def make(*walks: tuple[tuple[float, ...], dict[str, float]]) -> History:
        rows = np.concatenate([walk(*given, **named) for given, named in walks])
        return History.of(rows[:, 0], rows[:, 1], rows[:, 2:], rate_hz=RATE_HZ, frame_size=SIZE)

    return make


@pytest.fixture(scope="session")
def looking():
    """A history with appearance: (identity, first frame, person).

    Different persons are about unlike each other, but for what is `common` to all; `noise` parts crops of one.
    """

    def make(past: History, *pieces: tuple[int, int, int], common: float = 0.0, noise: float = 0.3) -> History:
        rng = np.random.default_rng(0)
        people = common + np.random.default_rng(7).normal(size=(20, 32))
        vectors = np.array([people[person] + noise * rng.normal(size=32) for _, _, person in pieces])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        ids = np.array([track_id for track_id, _, _ in pieces])
        times_s = np.array([(frame - 1) / RATE_HZ for _, frame, _ in pieces])
        return replace(past, appearance=Appearance(ids, times_s, vectors.astype(np.float32)))

    return make
