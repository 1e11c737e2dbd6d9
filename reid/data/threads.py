"""How many threads read pictures."""

from __future__ import annotations

import os

import cv2

_MOST = 8


def reading_threads() -> int:
    """One a core, 8 at most, and no more than OpenCV may use: who limits a process says it once."""
    return max(1, min(_MOST, os.cpu_count() or 1, cv2.getNumThreads()))
