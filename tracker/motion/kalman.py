"""A constant-velocity Kalman filter for all tracks in one call.

The state of one track:

    box        cx, cy, w, h        centre and size, pixels
    velocity   vx, vy, vw, vh      pixels per second

Measured is the box. The axes are independent of each other. All noise scales with the object's height (as in
DeepSORT, Wojke 2017), so in units of height the two axes of the centre share one 2x2 covariance of (position,
velocity), and the two of the size share another: three numbers each instead of an 8x8 matrix, and a filter without
any matrix inverse.

    covariance (T, 2, 3)   [centre | size] x [var(position), cov(position, velocity), var(velocity)],
                           in height^2, height^2 / s, height^2 / s^2
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.types import DoubleArray

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

    box: DoubleArray
    """(T, 4) cx, cy, w, h in pixels."""
    velocity: DoubleArray
    """(T, 4) in pixels per second."""
    covariance: DoubleArray
    """(T, 2, 3), see the module's description."""


def start(measured: DoubleArray, noise: MotionNoise) -> MotionState:
    """Begin tracks at rest at their first measured box, (T, 4) cxcywh."""
    n = len(measured)
    covariance = np.zeros((n, 2, 3))
    covariance[:, :, 0] = noise.measurement_std**2
    covariance[:, 0, 2] = noise.initial_speed_std**2
    covariance[:, 1, 2] = (0.3 * noise.initial_speed_std) ** 2  # sizes change slower than positions
    box = np.concatenate((measured[:, :2], np.maximum(measured[:, 2:], MIN_SIDE_PX)), axis=1)
    return MotionState(box, np.zeros((n, 4)), covariance)


def predict(state: MotionState, dt_s: float, noise: MotionNoise) -> MotionState:
    """Where the boxes will be `dt_s` seconds on: x' = F x, P' = F P F' + Q with F = [[1, dt], [0, 1]].

    P' is linear in the three numbers of P, so that one small matrix multiplies those of all tracks. Q is that of
    white-noise acceleration of spectral density q (Bar-Shalom 2001, eq. 6.2.2-12):
    q [[dt^3 / 3, dt^2 / 2], [dt^2 / 2, dt]].
    """
    step = np.array([[1.0, 0.0, 0.0], [2 * dt_s, 1.0, 0.0], [dt_s**2, dt_s, 1.0]])
    q = np.array([[noise.acceleration**2], [noise.size_acceleration**2]])  # centre, size
    covariance = (state.covariance.reshape(-1, 3) @ step).reshape(-1, 2, 3)
    covariance += q * np.array([dt_s**3 / 3, dt_s**2 / 2, dt_s])
    box = state.box + dt_s * state.velocity
    # a size extrapolated far is worth nothing: at most halved or doubled
    size, least = state.box[:, 2:], np.maximum(state.box[:, 2:] / 2, MIN_SIDE_PX)
    box[:, 2:] = np.minimum(np.maximum(box[:, 2:], least), 2 * size)
    return MotionState(box, state.velocity, covariance)


def correct(state: MotionState, measured: DoubleArray, noise: MotionNoise, scores: DoubleArray) -> MotionState:
    """Take in one measured box a track, (T, 4) cxcywh, with its score, (T,).

    S = H P H' + R; K = P H' / S; x' = x + K (z - H x); P' = (I - K H) P, in closed form since S is a number.
    A box of low score counts less: R grows as the score falls (the idea of NSA Kalman, Du 2021).
    """
    r = (noise.measurement_std * (1.5 - scores)) ** 2  # (T,)
    s = state.covariance[:, :, :1] + r[:, None, None]  # (T, 2, 1)
    gain = state.covariance[:, :, :2] / s  # (T, 2, 2): of position and velocity, for centre and size
    innovation = (measured - state.box).reshape(-1, 2, 2)  # (T, 2, 2): x and y of the centre, w and h of the size
    box = state.box + (gain[:, :, :1] * innovation).reshape(-1, 4)
    velocity = state.velocity + (gain[:, :, 1:] * innovation).reshape(-1, 4)
    np.maximum(box[:, 2:], MIN_SIDE_PX, out=box[:, 2:])
    covariance = np.empty_like(state.covariance)
    np.multiply(1 - gain[:, :, :1], state.covariance[:, :, :2], out=covariance[:, :, :2])
    np.subtract(state.covariance[:, :, 2], gain[:, :, 1] * state.covariance[:, :, 1], out=covariance[:, :, 2])
    return MotionState(box, velocity, covariance)
