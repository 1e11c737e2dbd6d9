"""A constant-velocity Kalman filter for all tracks in one call.

The state of one track:

    box        cx, cy, w, h        centre and size, pixels
    velocity   vx, vy, vw, vh      pixels per second

Measured is the box. The axes are independent of each other. All noise scales with the object's height (as in
DeepSORT, Wojke 2017), so in units of height the two axes of the centre share one 2x2 covariance of (position,
velocity), and the two of the size share another: three numbers each instead of an 8x8 matrix, and a filter without
any matrix inverse.

    state      (2, 4, T)   [position, velocity] x [cx, cy, w, h]
    covariance (3, 2, T)   [var(position), cov(position, velocity), var(velocity)] x [centre, size],
                           in height^2, height^2 / s, height^2 / s^2

Tracks are the last axis, so that each number of all tracks lies in one piece.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.types import BoolArray, DoubleArray, IntArray

MIN_SIDE_PX = 1.0
"""Sides are kept at least this long: a linear filter may otherwise predict boxes inside out."""


@dataclass(frozen=True, slots=True)
class MotionNoise:
    """How uncertain motion and measurement are; see `TrackerConfig` for the meaning of each."""

    acceleration: float
    size_acceleration: float
    measurement_std: float
    initial_speed_std: float


@dataclass(slots=True, eq=False)
class MotionState:
    """T filtered boxes; float64."""

    state: DoubleArray
    """(2, 4, T), see the module's description."""
    covariance: DoubleArray
    """(3, 2, T), see there."""

    @property
    def box(self) -> DoubleArray:
        """(4, T) cx, cy, w, h in pixels."""
        box: DoubleArray = self.state[0]
        return box

    @property
    def velocity(self) -> DoubleArray:
        """(4, T) in pixels per second."""
        velocity: DoubleArray = self.state[1]
        return velocity

    def of(self, rows: IntArray) -> MotionState:
        """Some of the tracks (n,)."""
        return MotionState(self.state.take(rows, axis=-1), self.covariance.take(rows, axis=-1))


def start(measured: DoubleArray, noise: MotionNoise) -> MotionState:
    """Begin tracks at rest at their first measured box, (4, T) cxcywh."""
    n = measured.shape[1]
    covariance = np.zeros((3, 2, n))
    covariance[0] = noise.measurement_std**2
    covariance[2, 0] = noise.initial_speed_std**2
    covariance[2, 1] = (0.3 * noise.initial_speed_std) ** 2  # sizes change slower than positions
    state = np.zeros((2, 4, n))
    state[0, :2], state[0, 2:] = measured[:2], np.maximum(measured[2:], MIN_SIDE_PX)
    return MotionState(state, covariance)


def predict(motion: MotionState, dt_s: float, noise: MotionNoise, hidden: BoolArray | None = None) -> MotionState:
    """Where the boxes will be `dt_s` seconds on: x' = F x, P' = F P F' + Q with F = [[1, dt], [0, 1]].

    P' is linear in the three numbers of P, so that one small matrix multiplies those of all tracks. Q is that of
    white-noise acceleration of spectral density q (Bar-Shalom 2001, eq. 6.2.2-12):
    q [[dt^3 / 3, dt^2 / 2], [dt^2 / 2, dt]].

    The velocity of its size means nothing while an object is `hidden`, (T,).
    """
    a, b = noise.acceleration**2, noise.size_acceleration**2
    cube, square = dt_s**3 / 3, dt_s**2 / 2
    q = np.array([[a * cube, b * cube], [a * square, b * square], [a * dt_s, b * dt_s]])
    step = np.array([[1.0, 2 * dt_s, dt_s**2], [0.0, 1.0, dt_s], [0.0, 0.0, 1.0]])
    covariance = step.dot(motion.covariance.reshape(3, -1)).reshape(3, 2, -1)
    covariance += q[..., None]
    state = motion.state.copy()
    if hidden is not None:
        np.copyto(state[1, 2:], 0, where=hidden)
    state[0] += dt_s * state[1]
    # a size extrapolated far is worth nothing: at most halved or doubled
    size, before = state[0, 2:], motion.state[0, 2:]
    np.maximum(size, np.maximum(before / 2, MIN_SIDE_PX), out=size)
    np.minimum(size, 2 * before, out=size)
    return MotionState(state, covariance)


def correct(
    motion: MotionState, measured: DoubleArray, noise: MotionNoise, scores: DoubleArray, matched: BoolArray
) -> MotionState:
    """Take in one measured box a track, (4, T) cxcywh, with its score, (T,); tracks that are not `matched` (T,) stay.

    S = H P H' + R; K = P H' / S; x' = x + K (z - H x); P' = (I - K H) P, in closed form since S is a number.
    A box of low score counts less: R grows as the score falls (the idea of NSA Kalman, Du 2021). What was not measured
    has R = inf, so that K = 0.
    """
    r = np.where(matched, (noise.measurement_std * (1.5 - scores)) ** 2, np.inf)  # (T,)
    before = motion.covariance
    gain = before[:2] / (before[0] + r)  # (2, 2, T): of position and velocity, for centre and size
    innovation = (measured - motion.box).reshape(2, 2, -1)  # (2, 2, T): x and y of the centre, w and h of the size
    state = motion.state + (gain[:, :, None] * innovation).reshape(2, 4, -1)
    np.maximum(state[0, 2:], MIN_SIDE_PX, out=state[0, 2:], where=matched)
    covariance = np.empty_like(before)
    np.multiply(1 - gain[0], before[:2], out=covariance[:2])
    np.subtract(before[2], gain[1] * before[1], out=covariance[2])
    return MotionState(state, covariance)
