"""The tracks that are alive, one row each, as a struct of arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from tracker.arrays import every, some
from tracker.motion.kalman import MotionState
from tracker.types import BoolArray, DoubleArray, FloatArray, IntArray

TIME_SLACK_S = 1e-6
"""Sums of frame times are not exact."""


@dataclass(slots=True, eq=False)
class TrackTable:
    """T live tracks. Each number of all of them lies in one piece; so does each of their vectors."""

    ids: IntArray
    """(T,) identities' numbers as reported; 0 before the first."""
    own_ids: IntArray
    """(T,) the number of its own that a track got as somebody new; 0 where it never was."""
    proven: BoolArray
    """(T,) whether the track was seen for long enough not to be a false detection."""
    settled: BoolArray
    """(T,) whether the number is final; before, the object may turn out to be one that was known already."""
    state: DoubleArray
    """(2, 4, T) box and velocity, see `tracker.motion.kalman`."""
    covariance: DoubleArray
    """(3, 2, T), see there."""
    born_s: DoubleArray
    """(T,) time of the first detection."""
    seen_s: DoubleArray
    """(T,) time of the last detection."""
    seen_box: DoubleArray
    """(4, T) cx, cy, w, h when last seen."""
    detection: IntArray
    """(T,) row of the detection of the last update, -1 where none matched."""
    score: DoubleArray
    """(T,) of the last detection."""
    classes: IntArray
    """(T,) the class that leads the vote."""
    class_votes: DoubleArray
    """(T,) its lead (Boyer-Moore majority vote, 1981, weighted by scores)."""
    mean: FloatArray
    """(T, D) mean appearance, unit vectors; zeros before the first one."""
    vectors: DoubleArray
    """(T,) how many vectors made the mean."""
    first_vector_s: DoubleArray
    """(T,) time of the first vector in the mean."""
    mean_s: DoubleArray
    """(T,) time of the last vector in the mean."""
    unlooked: DoubleArray
    """(T,) in how many frames since the last look at a clean crop there was one that was not asked for."""
    doubt: DoubleArray
    """(T,) evidence, in nats, that none of the crops since `doubted_s` is of the object; 0 without doubt."""
    doubted: FloatArray
    """(T, D) sum of those crops' vectors."""
    doubted_s: DoubleArray
    """(T,) time of the first of them."""
    lone: BoolArray
    """(T,) whether it came a moment ago, and was seen in every frame after its first, with nothing else near."""

    @classmethod
    def zeros(cls, n: int, dimension: int) -> TrackTable:
        """`n` rows of nothing, with mean vectors of `dimension`."""

        def number() -> DoubleArray:
            return np.zeros(n)

        def whole() -> IntArray:
            return np.zeros(n, np.int64)

        def flag() -> BoolArray:
            return np.zeros(n, bool)

        def look() -> FloatArray:
            return np.zeros((n, dimension), np.float32)

        return cls(
            ids=whole(),
            own_ids=whole(),
            proven=flag(),
            settled=flag(),
            state=np.zeros((2, 4, n)),
            covariance=np.zeros((3, 2, n)),
            born_s=number(),
            seen_s=number(),
            seen_box=np.zeros((4, n)),
            detection=whole(),
            score=number(),
            classes=whole(),
            class_votes=number(),
            mean=look(),
            vectors=number(),
            first_vector_s=number(),
            mean_s=number(),
            unlooked=number(),
            doubt=number(),
            doubted=look(),
            doubted_s=number(),
            lone=flag(),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def box(self) -> DoubleArray:
        """(4, T) cx, cy, w, h."""
        box: DoubleArray = self.state[0]
        return box

    @property
    def motion(self) -> MotionState:
        """The Kalman filter's part."""
        return MotionState(self.state, self.covariance)

    @motion.setter
    def motion(self, motion: MotionState) -> None:
        self.state, self.covariance = motion.state, motion.covariance

    def fit_dimension(self, dimension: int) -> None:
        """Make room for vectors of this dimension where none was known before."""
        if self.mean.shape[1] != dimension:
            self.mean, self.doubted = (np.zeros((len(self), dimension), np.float32) for _ in range(2))

    def seen_anew(self, mean: FloatArray, vectors: DoubleArray) -> TrackTable:
        """The same tracks by other mean vectors (T, D), each made of so many (T,), without any doubt or claim.

        It shares the other columns with this one.
        """
        return replace(
            self,
            settled=self.settled | ((self.ids > 0) & (self.ids != self.own_ids)),
            mean=mean,
            vectors=vectors,
            first_vector_s=np.where(self.vectors > 0, self.first_vector_s, self.born_s),
            unlooked=np.zeros(len(self)),
            doubt=np.zeros(len(self)),
            doubted=np.zeros_like(mean),
        )

    def looks_forgotten(self, rows: IntArray) -> TrackTable:
        """The same tracks, of which these have never been looked at. It shares the other columns with this one."""
        parts = {name: getattr(self, name).copy() for name in ("mean", "vectors", "unlooked", "doubt", "doubted")}
        for part in parts.values():
            part[rows] = 0
        return replace(self, **parts)

    def select(self, keep: BoolArray) -> TrackTable:
        """A table of some rows (T,); this one where all are kept."""
        if every(keep):
            return self
        rows = keep.nonzero()[0]
        return TrackTable(*[getattr(self, name).take(rows, axis=axis) for name, axis in _AXES])

    def append(self, other: TrackTable) -> TrackTable:
        """A table of the rows of both."""
        return TrackTable(*[np.concatenate((getattr(self, n), getattr(other, n)), axis=axis) for n, axis in _AXES])

    def learn(self, rows: IntArray, crops: FloatArray, now: float, memory_s: float) -> None:
        """Move the mean appearance of rows towards their crops' vectors (n, D): a plain mean at first, then fading.

        The array of crops is used up.
        """
        before, mean = self.vectors[rows], self.mean.take(rows, axis=0)
        count = before + 1
        fading = 1 - np.exp((self.mean_s[rows] - now) / max(memory_s, 1e-9))
        share = np.maximum(1 / count, fading).astype(np.float32)  # (n,)
        # mean + share (crops - mean)
        crops -= mean
        crops *= share[:, None]
        crops += mean
        self.mean[rows] = unit(crops, mean)
        if not every(before):
            self.first_vector_s[rows[before == 0]] = now
        self.vectors[rows] = count
        self.mean_s[rows] = now
        if some(self.doubt):
            cleared = rows[self.doubt[rows] < 0]
            self.doubt[cleared], self.doubted[cleared] = 0, 0

    def set_aside(self, rows: IntArray, crops: FloatArray, now: float, evidence: DoubleArray) -> None:
        """Set crops (n, D) aside that speak against being of their rows' objects, by `evidence` (n,) nats below 0."""
        self.doubted_s[rows] = np.where(self.doubt[rows] < 0, self.doubted_s[rows], now)
        self.doubt[rows] += evidence
        self.doubted[rows] += crops

    def begin_anew(self, rows: IntArray) -> None:
        """These rows are other objects since their first doubted crop: forget whose they were."""
        self.vectors[rows] = np.maximum(np.round(np.linalg.norm(self.doubted[rows], axis=1)), 1)
        self.mean[rows] = unit(self.doubted[rows], self.mean[rows])
        self.born_s[rows] = self.first_vector_s[rows] = self.doubted_s[rows]
        self.mean_s[rows] = self.seen_s[rows]
        self.own_ids[rows], self.settled[rows] = 0, False
        self.class_votes[rows] = 0
        self.doubt[rows], self.doubted[rows] = 0, 0


_AXES = tuple((field.name, 0 if field.name in ("mean", "doubted") else -1) for field in fields(TrackTable))
"""The columns, and which axis of each has one place a track."""


def unit(vectors: FloatArray, otherwise: FloatArray) -> FloatArray:
    """The vectors (n, D), scaled to unit length in place; rows of no length become those of `otherwise`."""
    norm = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))  # (n,)
    long = norm > 1e-6
    if not every(long):
        vectors[~long], norm[~long] = otherwise[~long], 1
    vectors /= norm[:, None]
    return vectors
