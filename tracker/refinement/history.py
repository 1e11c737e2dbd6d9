"""What a tracker said of a whole video, as a struct of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from tracker.errors import InputError
from tracker.types import BoolArray, Detections, DoubleArray, FloatArray, IntArray, Tracks
from tracker.types.rows import as_rows, refuse_row

MOST_FRAMES = 10**7
"""Almost four days at 30 frames a second. A higher number is a time in milliseconds, not that of a frame."""


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
        numbers = as_rows("frame", frame, (None,), np.int64)
        n = len(numbers)
        names = as_rows("ids", ids, (n,), np.int64)
        seen = Detections(boxes, scores, classes)
        if len(seen) != n:
            raise InputError(f"boxes must be ({n}, 4) like frame, got {seen.boxes.shape}")
        if not 0 < rate_hz < np.inf:
            raise InputError(f"rate_hz must be a finite number above 0, got {rate_hz!r}")
        refuse_row("frame", numbers, (numbers < 1) | (numbers > MOST_FRAMES), f"1 to {MOST_FRAMES}")
        frames = np.arange(1, int(numbers.max(initial=0)) + 1)
        return cls(
            numbers,
            names,
            seen.boxes,
            seen.scores,
            seen.classes,
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
        here = np.isin(self.frames, self.frame)  # empty ones have no rows
        shown = replace(self, frames=self.frames[here], times_s=self.times_s[here], detected=self.detected[here])
        return "".join(tracks.to_mot(number) for number, _, _, tracks in shown.by_frame())
