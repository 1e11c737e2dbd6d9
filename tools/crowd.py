"""A simulated crowd: as many objects as are wanted, walking about, with boxes, scores and vectors; the truth is known.

For speed and endurance, where the number of objects matters and real sequences have too few. For accuracy see
`simulation.py`. Each object keeps its size and its identity's vector, changes its velocity a little every frame and
turns round at the border. Every frame shows it with jittered box and noisy vector, unless it is missed or hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FEW = 20  # objects up to which sizes and speeds are those of people near the camera; more are smaller and slower
_EMERGING = 2  # frames at the end of an occlusion in which the object is seen again


@dataclass(frozen=True)
class CrowdModel:
    """How a crowd behaves."""

    objects: int
    """How many there are at a time."""
    dimension: int = 128
    """D of the vectors."""
    size: tuple[int, int] = (1920, 1080)
    """(width, height) of the picture in pixels."""
    miss_rate: float = 0.05
    """Share of the objects that a frame misses."""
    occlusion_rate: float = 0.0
    """Chance a frame that an object is hidden for 8 to 37 frames; for 2 more its vector is mixed with its coverer's."""
    vector_noise: float = 0.35
    """Spread of an object's vectors about its identity's: cosines of two of them are about 1 / (1 + (2 noise)^2)."""
    lifetime_frames: float = float("inf")
    """Mean time until an object leaves and another, of another identity, appears elsewhere."""


@dataclass(frozen=True, eq=False)
class CrowdFrame:
    """One frame as a tracker sees it, and who is who."""

    detections: NDArray[np.float32]
    """(N, 6) `x1, y1, x2, y2, score, class 0`."""
    embeddings: NDArray[np.float32]
    """(N, D) unit vectors."""
    identities: NDArray[np.int64]
    """(N,) true identity."""


class Crowd:
    """A stream of frames; the same model and seed give the same stream."""

    def __init__(self, model: CrowdModel, seed: int) -> None:
        self.model, self._rng = model, np.random.default_rng(seed)
        n = model.objects
        self._scale = np.sqrt(_FEW / n) if n > _FEW else 1.0
        self._identity = np.arange(n)
        self._height, self._place, self._velocity, self._vector = self._fresh(n)
        self._hidden, self._coverer = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._next = n

    def _fresh(self, n: int) -> tuple[NDArray[np.float64], ...]:
        """Heights (n,), places (n, 2), velocities (n, 2) a frame and vectors (n, D) of new objects."""
        rng, model = self._rng, self.model
        height = rng.uniform(80, 220, n) * max(self._scale, 0.25)
        velocity = rng.normal(0, 3 * max(self._scale, 0.3), (n, 2))
        return height, rng.uniform((0, 0), model.size, (n, 2)), velocity, _unit(rng.normal(size=(n, model.dimension)))

    def step(self) -> CrowdFrame:
        """The next frame."""
        rng, model, n = self._rng, self.model, self.model.objects
        self._replace(np.flatnonzero(rng.random(n) < 1 / model.lifetime_frames))
        self._place += self._velocity
        self._velocity += rng.normal(0, 0.15, (n, 2))
        outside = (self._place < 0) | (self._place > model.size)  # (n, 2)
        self._velocity[outside] *= -1
        side = np.c_[0.42 * self._height, self._height]  # (n, 2)
        boxes = np.c_[self._place - side / 2, self._place + side / 2] + rng.normal(0, 0.02, (n, 4)) * np.tile(side, 2)
        spread = 2 * model.vector_noise / np.sqrt(model.dimension)
        vectors = _unit(self._vector + rng.normal(0, spread, self._vector.shape))  # (n, D)
        seen = rng.random(n) > model.miss_rate
        if model.occlusion_rate:
            self._cover()
            emerging = (self._hidden > 0) & (self._hidden <= _EMERGING)
            vectors[emerging] = _unit(0.7 * vectors[emerging] + 0.3 * self._vector[self._coverer[emerging]])
            seen &= self._hidden <= _EMERGING
        score = np.clip(rng.normal(0.85, 0.08, n), 0.3, 0.99)
        detections = np.c_[boxes, score, np.zeros(n)].astype(np.float32)
        return CrowdFrame(detections[seen], vectors[seen].astype(np.float32), self._identity[seen].copy())

    def _replace(self, rows: NDArray[np.int64]) -> None:
        """These objects leave, and others come in their place."""
        if len(rows):
            fresh = self._fresh(len(rows))
            self._height[rows], self._place[rows], self._velocity[rows], self._vector[rows] = fresh
            self._identity[rows] = self._next + np.arange(len(rows))
            self._next += len(rows)
            self._hidden[rows] = 0

    def _cover(self) -> None:
        """Hide some for a while, each behind one other."""
        rng, n = self._rng, self.model.objects
        self._hidden = np.maximum(self._hidden - 1, 0)
        begins = (self._hidden == 0) & (rng.random(n) < self.model.occlusion_rate)
        self._hidden[begins] = rng.integers(10, 40, begins.sum())
        self._coverer[begins] = rng.integers(0, n, begins.sum())


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
