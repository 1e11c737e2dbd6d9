"""The guard: a motion that enough points agree on, in several parts of the picture, and that a camera can make."""

from __future__ import annotations

import numpy as np

from tracker.camera.similarity import ComplexArray, Similarity, fit_similarity
from tracker.types import BoolArray

MIN_POINTS = 12
"""Fewer say nothing."""
_TOLERANCE_PX = 0.8  # of the work picture: noise of the flow, and the parallax of what is near
_STANDS_PX = 0.3  # a point that moved less did not move
_MAX_STANDING = 0.3  # share of points that may stand while the camera moves: an overlay, the inside of a vehicle
_MAX_ZOOM, _MAX_TURN, _MAX_SHIFT = 1.3, 0.35, 0.4  # from one picture to the next; radians; share of the longer side


def agreed_motion(
    start: ComplexArray, end: ComplexArray, size: tuple[int, ...], min_support: float
) -> Similarity | None:
    """What the points of a picture agree on; None where they do not, or on something that no camera does.

    Args:
        start: (n,) x + iy of points in pixels.
        end: (n,) where they went.
        size: (height, width) of the picture.
        min_support: share of the points that must agree.
    """
    if len(start) < MIN_POINTS:
        return None
    motion, inliers = fit_similarity(start, end, _TOLERANCE_PX)
    standing = ~inliers & (np.abs(end - start) < _STANDS_PX)
    if inliers.mean() < min_support or standing.mean() > _MAX_STANDING:
        return None
    if not _all_over(start, inliers, size, min_support) or not _possible(motion, size):
        return None
    return motion


def farthest(motion: Similarity, size: tuple[int, ...]) -> float:
    """How far the corner of a picture of this (height, width) moves that moves most, in pixels."""
    ends = np.array([0, size[1], 1j * size[0], size[1] + 1j * size[0]])
    return float(motion.residual(ends, ends).max())


def _all_over(start: ComplexArray, inliers: BoolArray, size: tuple[int, ...], share: float) -> bool:
    """Whether two quarters of the picture or more, and all but one of those with points, support the motion."""
    quarter = 2 * (start.imag >= size[0] / 2) + (start.real >= size[1] / 2)  # (n,) 0..3
    points = np.bincount(quarter, minlength=4)
    agreeing = np.bincount(quarter, inliers, minlength=4)
    asked = points >= MIN_POINTS / 4
    supporting = int((agreeing[asked] >= share * points[asked]).sum())
    return supporting >= max(2, int(asked.sum()) - 1)


def _possible(motion: Similarity, size: tuple[int, ...]) -> bool:
    zoom, turn = abs(motion.zoom_turn), abs(float(np.angle(motion.zoom_turn)))
    middle = complex(size[1] / 2, size[0] / 2)
    shift = abs(motion.zoom_turn * middle + motion.shift - middle)
    return 1 / _MAX_ZOOM <= zoom <= _MAX_ZOOM and turn <= _MAX_TURN and shift <= _MAX_SHIFT * max(size)
