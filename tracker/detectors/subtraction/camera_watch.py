"""Notices a camera that moves: most of the picture shifts, not just what walks through it."""

from __future__ import annotations

from collections import deque

from tracker.camera import CameraMotion, CameraMotionConfig
from tracker.types import Image

_INTERVAL_S = 0.2  # between two looks: a slow pan moves enough pixels in that time
_MOVED_SHARE = 0.005  # of the longer side; below is a trembling mount
_MAJORITY = 0.6  # share of the points that must move alike
_LOOKS, _MOVING_LOOKS = 10, 7  # two seconds, most of them moving


class CameraWatch:
    """Feed it every frame; `moves` turns True once the camera has moved for most of two seconds, and stays so."""

    def __init__(self) -> None:
        self.moves = False
        self._camera = CameraMotion(CameraMotionConfig(still_share=_MOVED_SHARE, min_support=_MAJORITY))
        self._last_s: float | None = None
        self._looks: deque[bool] = deque(maxlen=_LOOKS)

    def update(self, picture: Image, time_s: float) -> None:
        """Look at a frame, (h, w, 3) uint8, at most once an interval."""
        if self.moves or (self._last_s is not None and 0 <= time_s - self._last_s < _INTERVAL_S):
            return
        self._last_s = time_s
        self._looks.append(self._camera.update(picture) is not None)
        self.moves = sum(self._looks) >= _MOVING_LOOKS
