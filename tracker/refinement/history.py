"""What a tracker said of a whole video, as a struct of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from tracker.errors import InputError
from tracker.types import BoolArray, DoubleArray, FloatArray, IntArray, Tracks


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """What objects looked like: M pieces of tracks, each the mean over a second or more of unbroken sight."""

    ids: IntArray
    """(M,) whose."""
    times_s: DoubleArray
    """(M,) since when."""
    vectors: FloatArray
    """(M, D) mean vectors, of unit length."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """N boxes of a whole video of F frames, by identity and, within each, by frame. Make one with `History.of`."""

    frame: IntArray
    """(N,) the frame's number, from 1."""
    ids: IntArray
    """(N,) the identity's number."""
    boxes: FloatArray
    """(N, 4) `x1, y1, x2, y2` in pixels."""
    scores: FloatArray
    """(N,) the detector's, 0..1."""
    classes: IntArray
    """(N,)"""
    seen: BoolArray
    """(N,) False where the position is predicted or interpolated."""
    frames: IntArray
    """(F,) numbers of all frames, ascending, also of those in which nothing is."""
    times_s: DoubleArray
    """(F,) when each frame was taken."""
    detected: BoolArray
    """(F,) whether the detector looked at each frame."""
    frame_size: tuple[int, int] | None
    """Width and height of the picture in pixels; where they are not known, nobody is known to be at its border."""
    appearance: Appearance | None = None
    """What the objects looked like, where that is known."""

    @classmethod
    def of(
        cls,
        frame: ArrayLike,
        ids: ArrayLike,
        boxes: ArrayLike,
        *,
        rate_hz: float,
        scores: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        frame_size: tuple[int, int] | None = None,
    ) -> History:
        """The tracks of any tracker, such as those of a MOT file, in any order.

        Args:
            frame: (N,) frame numbers, from 1.
            ids: (N,) identities.
            boxes: (N, 4) `x1, y1, x2, y2` in pixels.
            rate_hz: frames a second.
            scores: (N,) 0..1; None: all 1.
            classes: (N,); None: all 0.
            frame_size: width and height of the picture in pixels; None where unknown.

        Raises:
            InputError: lengths differ, an identity stands twice in a frame, or numbers are not what they must be.
        """
        numbers, names = np.asarray(frame), np.asarray(ids)
        n = len(numbers)
        corners = np.asarray(boxes, np.float32).reshape(-1, 4) if np.size(boxes) == 0 else np.asarray(boxes, np.float32)
        if numbers.shape != (n,) or names.shape != (n,) or corners.shape != (n, 4):
            raise InputError(
                f"frame, ids and boxes must be (N,), (N,), (N, 4), got {numbers.shape}, {names.shape}, {corners.shape}"
            )
        for name, column in (("scores", scores), ("classes", classes)):
            if column is not None and np.shape(column) != (n,):
                raise InputError(f"{name} must be ({n},), got {np.shape(column)}")
        if not rate_hz > 0:
            raise InputError(f"rate_hz must be above 0, got {rate_hz!r}")
        if n and (numbers.min() < 1 or (numbers != np.floor(numbers)).any()):
            raise InputError(f"frame must be whole numbers from 1, got {numbers.min():g} as the lowest")
        if not np.isfinite(corners).all() or (corners[:, 2:] < corners[:, :2]).any():
            raise InputError("boxes must be finite, with x2 >= x1 and y2 >= y1")
        frames = np.arange(1, int(numbers.max(initial=0)) + 1)
        return cls(
            numbers.astype(np.int64),
            names.astype(np.int64),
            corners,
            np.ones(n, np.float32) if scores is None else np.asarray(scores, np.float32),
            np.zeros(n, np.int64) if classes is None else np.asarray(classes, np.int64),
            np.ones(n, bool),
            frames,
            (frames - 1) / rate_hz,
            np.ones(len(frames), bool),
            frame_size,
        ).sorted()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def row_times_s(self) -> DoubleArray:
        """(N,) when each box was."""
        return self.times_s[np.searchsorted(self.frames, self.frame)]

    def sorted(self) -> History:
        """The same, by identity and frame.

        Raises:
            InputError: an identity stands twice in one frame.
        """
        order = np.lexsort((self.frame, self.ids))
        rows = {name: getattr(self, name)[order] for name in ("frame", "ids", "boxes", "scores", "classes", "seen")}
        twice = (np.diff(rows["ids"]) == 0) & (np.diff(rows["frame"]) == 0)
        if twice.any():
            row = int(np.flatnonzero(twice)[0])
            raise InputError(
                f"an identity must stand once in a frame, {rows['ids'][row]} is in {rows['frame'][row]} twice"
            )
        return replace(self, **rows)

    def by_frame(self) -> Iterator[tuple[int, float, bool, Tracks]]:
        """Number, time, whether the detector looked, and the objects of every frame, in order."""
        order = np.lexsort((self.ids, self.frame))
        numbers = self.frame[order]
        first = np.searchsorted(numbers, self.frames, side="left").tolist()
        last = np.searchsorted(numbers, self.frames, side="right").tolist()
        for k, number in enumerate(self.frames.tolist()):
            rows = order[first[k] : last[k]]
            time_s = float(self.times_s[k])
            found = np.where(self.seen[rows], 0, -1)
            tracks = Tracks(self.ids[rows], self.boxes[rows], self.scores[rows], self.classes[rows], found, time_s)
            yield number, time_s, bool(self.detected[k]), tracks

    def to_mot(self) -> str:
        """MOTChallenge rows, by frame; see `Tracks.to_mot`."""
        return "".join(tracks.to_mot(number) for number, _, _, tracks in self.by_frame())
