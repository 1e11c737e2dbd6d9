"""The tracks that are alive, one row each, as a struct of arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from tracker.boxes import cxcywh_to_xyxy
from tracker.motion.kalman import MotionState
from tracker.types import BoolArray, DoubleArray, IntArray

TIME_SLACK_S = 1e-6
"""Sums of frame times are not exact."""


@dataclass(slots=True, eq=False)
class TrackTable:
    """T live tracks."""

    ids: IntArray
    """(T,) identities' numbers as reported; 0 before the first."""
    own_ids: IntArray
    """(T,) the number of its own that a track got as somebody new; 0 where it never was."""
    proven: BoolArray
    """(T,) whether the track was seen for long enough not to be a false detection."""
    settled: BoolArray
    """(T,) whether the number is final; before, the object may turn out to be one that was known already."""
    box: DoubleArray
    """(T, 4) cx, cy, w, h."""
    velocity: DoubleArray
    """(T, 4) per second."""
    covariance: DoubleArray
    """(T, 2, 3), see `tracker.motion.kalman`."""
    born_s: DoubleArray
    """(T,) time of the first detection."""
    seen_s: DoubleArray
    """(T,) time of the last detection."""
    seen_box: DoubleArray
    """(T, 4) cx, cy, w, h when last seen."""
    detection: IntArray
    """(T,) row of the detection of the last update, -1 where none matched."""
    score: DoubleArray
    """(T,) of the last detection."""
    classes: IntArray
    """(T,) the class that leads the vote."""
    class_votes: DoubleArray
    """(T,) its lead (Boyer-Moore majority vote, 1981, weighted by scores)."""
    mean: DoubleArray
    """(T, D) mean appearance, unit vectors; zeros before the first one."""
    vectors: DoubleArray
    """(T,) how many vectors made the mean."""
    first_vector_s: DoubleArray
    """(T,) time of the first vector in the mean."""
    mean_s: DoubleArray
    """(T,) time of the last vector in the mean."""

    doubt: DoubleArray
    """(T,) evidence, in nats, that the crops since `doubted_s` are all of somebody else; 0 without doubt."""
    doubted: DoubleArray
    """(T, D) sum of those crops' vectors."""
    doubted_s: DoubleArray
    """(T,) time of the first of them."""

    @classmethod
    def zeros(cls, n: int, dimension: int) -> TrackTable:
        """`n` rows of nothing, with mean vectors of `dimension`."""

        def number() -> DoubleArray:
            return np.zeros(n)

        def whole() -> IntArray:
            return np.zeros(n, np.int64)

        def flag() -> BoolArray:
            return np.zeros(n, bool)

        def wide(width: int) -> DoubleArray:
            return np.zeros((n, width))

        return cls(
            ids=whole(),
            own_ids=whole(),
            proven=flag(),
            settled=flag(),
            box=wide(4),
            velocity=wide(4),
            covariance=np.zeros((n, 2, 3)),
            born_s=number(),
            seen_s=number(),
            seen_box=wide(4),
            detection=whole(),
            score=number(),
            classes=whole(),
            class_votes=number(),
            mean=wide(dimension),
            vectors=number(),
            first_vector_s=number(),
            mean_s=number(),
            doubt=number(),
            doubted=wide(dimension),
            doubted_s=number(),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def motion(self) -> MotionState:
        """The Kalman filter's part."""
        return MotionState(self.box, self.velocity, self.covariance)

    @property
    def xyxy(self) -> DoubleArray:
        """(T, 4) corners."""
        return cxcywh_to_xyxy(self.box)

    def set_motion(self, rows: IntArray | slice, state: MotionState) -> None:
        """Write the Kalman filter's part of some rows."""
        self.box[rows], self.velocity[rows], self.covariance[rows] = state.box, state.velocity, state.covariance

    def motion_of(self, rows: IntArray) -> MotionState:
        """The Kalman filter's part of some rows."""
        return MotionState(self.box[rows], self.velocity[rows], self.covariance[rows])

    def select(self, keep: BoolArray) -> TrackTable:
        """A table of some rows."""
        return TrackTable(*(getattr(self, f.name)[keep] for f in fields(self)))

    def append(self, other: TrackTable) -> TrackTable:
        """A table of the rows of both."""
        return TrackTable(*(np.concatenate((getattr(self, f.name), getattr(other, f.name))) for f in fields(self)))

    def learn(self, rows: IntArray, crops: DoubleArray, now: float, memory_s: float) -> None:
        """Move the mean appearance of rows towards their crops' vectors (n, D): a plain mean at first, then fading."""
        elapsed = now - self.mean_s[rows]
        fading = 1 - np.exp(-elapsed / max(memory_s, 1e-9))
        share = np.maximum(1 / (self.vectors[rows] + 1), fading)[:, None]
        self.mean[rows] = unit((1 - share) * self.mean[rows] + share * crops, self.mean[rows])
        self.first_vector_s[rows] = np.where(self.vectors[rows] > 0, self.first_vector_s[rows], now)
        self.vectors[rows] += 1
        self.mean_s[rows] = now
        self.doubt[rows], self.doubted[rows] = 0, 0

    def set_aside(self, rows: IntArray, crops: DoubleArray, now: float, evidence: DoubleArray) -> None:
        """Set crops (n, D) aside that speak against being of their rows' objects, by `evidence` (n,) nats."""
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
        self.doubt[rows], self.doubted[rows] = 0, 0


def unit(vectors: DoubleArray, otherwise: DoubleArray) -> DoubleArray:
    """(n, D) scaled to unit length; rows of no length become those of `otherwise`."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: DoubleArray = np.divide(vectors, norm, out=otherwise.copy(), where=norm > 1e-6)
    return scaled
