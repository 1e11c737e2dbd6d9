"""Notices a camera that moves: most of the picture shifts, not just what walks through it."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

_INTERVAL_S = 0.2  # between two looks: a slow pan moves enough pixels in that time
_POINTS = 120
_MOVED_PX = 1.5  # at a width of 320 pixels; below is tracking noise and a trembling mount
_FITS_PX = 0.8  # how near a point must be to where the common movement takes it
_MAJORITY = 0.6  # share of the points that must move, in at least three of four quarters of the picture
_LOOKS, _MOVING_LOOKS = 10, 7  # two seconds, most of them moving
_WIDTH_PX = 320


class CameraWatch:
    """Feed it every frame; `moves` turns True once the camera has moved for most of two seconds, and stays so."""

    def __init__(self) -> None:
        self.moves = False
        self._last: Grey | None = None
        self._last_s = 0.0
        self._looks: deque[bool] = deque(maxlen=_LOOKS)

    def update(self, grey: Grey, time_s: float) -> None:
        """Look at a frame, (h, w) uint8, at most once an interval."""
        if self.moves or (self._last is not None and 0 <= time_s - self._last_s < _INTERVAL_S):
            return
        scale = min(1.0, _WIDTH_PX / grey.shape[1])
        small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if self._last is not None and self._last.shape == small.shape:
            self._looks.append(_most_moves(self._last, np.asarray(small, np.uint8)))
        self._last, self._last_s = np.asarray(small, np.uint8), time_s
        self.moves = sum(self._looks) >= _MOVING_LOOKS


def _most_moves(before: Grey, after: Grey) -> bool:
    """Whether one movement of the whole picture explains most points, in all but one of its quarters."""
    height, width = before.shape
    if min(height, width) < 32:
        return False
    quarters, points = [], []
    for top in (0, height // 2):  # the same number from each quarter: one textured object shall not take them all
        for left in (0, width // 2):
            quarter = before[top : top + height // 2, left : left + width // 2]
            found = cv2.goodFeaturesToTrack(quarter, _POINTS // 4, 0.02, 6)
            if found is not None:
                points.append(found.reshape(-1, 2) + np.array((left, top), np.float32))
                quarters.append(np.full(len(points[-1]), len(points)))
    if len(points) < 3 or sum(len(p) for p in points) < 24:
        return False  # too plain to tell
    start, quarter_of = np.concatenate(points).astype(np.float32), np.concatenate(quarters)  # (n, 2), (n,)
    end, ok, _ = cv2.calcOpticalFlowPyrLK(before, after, start[:, None], None)  # type: ignore[call-overload]
    end, good = end.reshape(-1, 2), ok.reshape(-1) == 1
    if good.sum() < 24:
        return False
    affine, _ = cv2.estimateAffinePartial2D(start[good], end[good], ransacReprojThreshold=_FITS_PX)
    if affine is None:
        return False
    explained = np.linalg.norm(start @ affine[:, :2].T + affine[:, 2] - end, axis=1) < _FITS_PX  # (n,)
    moved = np.linalg.norm(end - start, axis=1) > _MOVED_PX
    shares = [(explained & moved & good)[quarter_of == q + 1].mean() for q in range(len(points))]
    return bool(sum(share > _MAJORITY for share in shares) >= max(3, len(points) - 1))
