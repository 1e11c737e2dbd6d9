"""The tracks that are alive, one row each, as a struct of arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from tracker.boxes import cxcywh_to_xyxy
from tracker.motion.kalman import MotionState
from tracker.types import BoolArray, DoubleArray, IntArray


@dataclass(slots=True, eq=False)
class TrackTable:
    """T live tracks. Tentative ones have the number 0 until they are confirmed."""

    ids: IntArray
    """(T,) identities' numbers; 0 while tentative."""
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
    mean_s: DoubleArray
    """(T,) time of the last vector in the mean."""

    @classmethod
    def empty(cls, dimension: int = 0) -> TrackTable:
        """No track; mean vectors of `dimension`."""
        f, i = np.zeros(0), np.zeros(0, np.int64)
        wide = np.zeros((0, 4))
        return cls(i, wide, wide, np.zeros((0, 2, 3)), f, f, wide, i, f, i, f, np.zeros((0, dimension)), f, f)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def motion(self) -> MotionState:
        """The Kalman filter's part."""
        return MotionState(self.box, self.velocity, self.covariance)

    @property
    def confirmed(self) -> BoolArray:
        """(T,) whether the track has its number."""
        return self.ids > 0

    @property
    def has_mean(self) -> BoolArray:
        """(T,) whether the track's appearance is known."""
        return self.vectors > 0

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
