"""How many threads OpenCV takes: the stages of a run overlap, and its threads would take their cores away."""

from __future__ import annotations

import os

import cv2

_VARIABLE = "OPENCV_FOR_THREADS_NUM"


def leave_a_core() -> None:
    """Have OpenCV take all cores but one in this process, one at least.

    While its threads look at one frame, another thread tracks in the frame before. By itself OpenCV takes every core,
    and while it waits for work, or for one of its threads that was interrupted, it goes round and round and keeps a
    core busy. Nothing is changed where the environment says how many it takes.
    """
    if _VARIABLE not in os.environ:
        cv2.setNumThreads(max(1, min(cv2.getNumThreads(), cv2.getNumberOfCPUs() - 1)))
