"""The batched filter against filterpy, one axis at a time, and its behaviour at the limits."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tracker.motion import kalman

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    filterpy = pytest.importorskip("filterpy.kalman")

NOISE = kalman.MotionNoise(acceleration=0.8, size_acceleration=0.2, measurement_std=0.05, initial_speed_std=0.7)


def reference(axis: int, measured: np.ndarray, dts: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """filterpy on one axis with the same model in pixels of a box of constant height 100."""
    unit = 100.0
    size = axis >= 2
    f = filterpy.KalmanFilter(dim_x=2, dim_z=1)
    f.x = np.array([[measured[0]], [0.0]])
    speed = NOISE.initial_speed_std * (0.3 if size else 1.0)
    f.P = np.diag([NOISE.measurement_std**2, speed**2]) * unit**2
    f.H = np.array([[1.0, 0.0]])
    q = (NOISE.size_acceleration if size else NOISE.acceleration) ** 2 * unit**2
    for z, dt, score in zip(measured[1:], dts, scores, strict=True):
        f.F = np.array([[1, dt], [0, 1]])
        f.Q = q * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        f.R = np.array([[(NOISE.measurement_std * unit * (1.5 - score)) ** 2]])
        f.predict()
        f.update(z)
    return f.x.ravel(), f.P / unit**2


def boxes(*rows: list[float]) -> np.ndarray:
    """(4, T) of rows cx, cy, w, h."""
    return np.array(rows, float).reshape(-1, 4).T


def corrected(motion: kalman.MotionState, measured: np.ndarray, scores: np.ndarray) -> kalman.MotionState:
    """All tracks, (4, T) measured."""
    return kalman.correct(motion, measured, NOISE, scores, np.ones(len(scores), bool))


def test_agrees_with_filterpy_at_irregular_times() -> None:
    rng = np.random.default_rng(0)
    n, steps = 5, 40
    start = np.c_[rng.uniform(100, 500, (n, 2)), np.full((n, 2), 100.0)]
    measured = start + np.cumsum(rng.normal(0, 3, (steps + 1, n, 4)), axis=0) * [1, 1, 0.1, 0.1]
    dts = rng.uniform(0.01, 0.2, steps)
    scores = rng.uniform(0.1, 1, (steps, n))
    state = kalman.start(measured[0].T, NOISE)
    for z, dt, score in zip(measured[1:], dts, scores, strict=True):
        state = corrected(kalman.predict(state, dt, NOISE), z.T, score)
    for track in range(n):
        for axis in range(4):
            x, p = reference(axis, measured[:, track, axis], dts, scores[:, track])
            np.testing.assert_allclose([state.box[axis, track], state.velocity[axis, track]], x, rtol=1e-9, atol=1e-7)
            group = state.covariance[:, axis // 2, track]
            np.testing.assert_allclose([group[0], group[1], group[2]], [p[0, 0], p[0, 1], p[1, 1]], rtol=1e-8)


def test_two_short_steps_are_one_long_step() -> None:
    state = kalman.start(boxes([50.0, 60.0, 20.0, 40.0]), NOISE)
    state.velocity[:, 0] = [10.0, -5.0, 0.5, 1.0]
    twice = kalman.predict(kalman.predict(state, 0.1, NOISE), 0.15, NOISE)
    once = kalman.predict(state, 0.25, NOISE)
    np.testing.assert_allclose(twice.box, once.box)
    np.testing.assert_allclose(twice.covariance, once.covariance)


def test_sizes_stay_plausible_however_far_the_prediction() -> None:
    state = kalman.start(boxes([50.0, 60.0, 20.0, 40.0], [50.0, 60.0, 20.0, 40.0]), NOISE)
    state.velocity[2:] = [-100.0, 100.0]
    far = kalman.predict(state, 10.0, NOISE)
    np.testing.assert_allclose(far.box[2:].T, [[10.0, 20.0], [40.0, 80.0]])


def test_a_box_without_area_neither_fails_nor_becomes_negative() -> None:
    flat = boxes([5.0, 5.0, 0.0, 0.0])
    state = kalman.start(flat, NOISE)
    for _ in range(20):
        state = corrected(kalman.predict(state, 0.04, NOISE), flat, np.array([0.9]))
    assert np.isfinite(state.box).all()
    assert (state.box[2:] >= kalman.MIN_SIDE_PX).all()


def test_uncertainty_grows_while_unseen_and_shrinks_when_seen() -> None:
    state = kalman.start(boxes([50.0, 60.0, 20.0, 40.0]), NOISE)
    later = kalman.predict(state, 0.5, NOISE)
    seen = corrected(later, later.box, np.array([1.0]))
    assert (later.covariance[0] > state.covariance[0]).all()
    assert (seen.covariance[0] < later.covariance[0]).all()


def test_a_confident_box_moves_the_track_further_than_a_doubtful_one() -> None:
    state = kalman.predict(kalman.start(boxes(*[[50.0, 60.0, 20.0, 40.0]] * 2), NOISE), 0.04, NOISE)
    moved = corrected(state, boxes(*[[70.0, 60.0, 20.0, 40.0]] * 2), np.array([0.9, 0.2]))
    assert moved.box[0, 0] > moved.box[0, 1] > 50.0


def test_what_was_not_measured_stays_as_predicted() -> None:
    state = kalman.predict(kalman.start(boxes([50.0, 60.0, 20.0, 40.0], [90.0, 60.0, 0.2, 0.4]), NOISE), 0.04, NOISE)
    measured, scores = boxes(*[[70.0, 60.0, 20.0, 40.0]] * 2), np.array([0.9, 0.9])
    seen = kalman.correct(state, measured, NOISE, scores, np.array([True, False]))
    np.testing.assert_array_equal(seen.state[..., 1], state.state[..., 1])
    np.testing.assert_array_equal(seen.covariance[..., 1], state.covariance[..., 1])
    np.testing.assert_array_equal(seen.state[..., 0], corrected(state, measured, scores).state[..., 0])


def test_the_size_of_what_is_hidden_stays() -> None:
    state = kalman.start(boxes(*[[50.0, 60.0, 20.0, 40.0]] * 2), NOISE)
    state.velocity[:] = 10.0
    later = kalman.predict(state, 0.5, NOISE, hidden=np.array([False, True]))
    np.testing.assert_allclose(later.box.T, [[55.0, 65.0, 25.0, 45.0], [55.0, 65.0, 20.0, 40.0]])
    assert (state.velocity == 10.0).all(), "the state that it began with is not changed"


def test_no_tracks_at_all() -> None:
    state = kalman.start(boxes(), NOISE)
    state = corrected(kalman.predict(state, 0.1, NOISE), boxes(), np.zeros(0))
    assert state.box.shape == (4, 0)
    assert state.covariance.shape == (3, 2, 0)
