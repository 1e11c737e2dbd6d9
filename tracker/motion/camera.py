"""Moving predictions along with the camera."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracker.errors import InputError
from tracker.motion.kalman import MotionState
from tracker.types import DoubleArray, FloatArray


def check_affine(camera_motion: Any) -> DoubleArray:
    """A (2, 3) float64 affine that maps pixels of the last frame to pixels of this one.

    Raises:
        InputError: another shape, not finite, or an area scaled by less than 1/10 or more than 10 (or mirrored).
    """
    try:
        affine = np.asarray(camera_motion, np.float64)
    except (TypeError, ValueError):
        affine = np.zeros(0)
    if affine.shape != (2, 3) or not np.isfinite(affine).all():
        raise InputError(f"camera_motion must be a finite (2, 3) affine, got {camera_motion!r}")
    if not keeps_areas(affine):
        determinant = float(np.linalg.det(affine[:, :2]))
        raise InputError(f"camera_motion must keep areas within 1/10 to 10 times, got determinant {determinant:.3g}")
    return affine


def keeps_areas(affine: DoubleArray) -> bool:
    """Whether a (2, 3) affine scales areas by no less than 1/10 and no more than 10, and mirrors nothing."""
    return bool(0.1 <= np.linalg.det(affine[:, :2]) <= 10)


def move(motion: MotionState, affine: DoubleArray) -> MotionState:
    """The same tracks seen after the camera moved: centres and velocities are mapped, sizes scaled.

    The affine's linear part A turns and scales positions (x' = A x + t) and velocities (v' = A v). Boxes stay
    upright, so that only the scale sqrt(det A) reaches their sizes.
    """
    state = motion.state * np.sqrt(np.linalg.det(affine[:, :2]))  # (2, 4, T)
    state[:, :2] = affine[:, :2] @ motion.state[:, :2]
    state[0, :2] += affine[:, 2:]
    return MotionState(state, motion.covariance)  # in units of height: scales by itself


def move_boxes(boxes: FloatArray, affine: DoubleArray) -> FloatArray:
    """Boxes, (N, 4) xyxy, seen after the camera moved: as `move` does it."""
    linear, shift = affine[:, :2], affine[:, 2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ linear.T + shift  # (N, 2)
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * np.sqrt(np.linalg.det(linear))
    return np.concatenate((centre - half, centre + half), axis=1).astype(np.float32)


def compose(first: DoubleArray, then: DoubleArray) -> DoubleArray:
    """The affine of one camera motion and another after it: x' = B (A x + a) + b."""
    linear = then[:, :2]
    return np.column_stack((linear @ first[:, :2], linear @ first[:, 2] + then[:, 2]))
