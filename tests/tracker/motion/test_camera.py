"""Camera motion applied to predictions."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import InputError
from tracker.motion import camera, kalman

NOISE = kalman.MotionNoise(0.8, 0.2, 0.05, 0.7)


def test_shift_turn_and_zoom_map_centre_velocity_and_size() -> None:
    state = kalman.start(np.array([[10.0, 20.0, 4.0, 8.0]]).T, NOISE)
    state.velocity[:, 0] = [1.0, 0.0, 0.5, 0.5]
    quarter_turn_twice_the_size = np.array([[0.0, -2.0, 5.0], [2.0, 0.0, 7.0]])
    moved = camera.move(state, camera.check_affine(quarter_turn_twice_the_size))
    np.testing.assert_allclose(moved.box.T, [[-35.0, 27.0, 8.0, 16.0]])
    np.testing.assert_allclose(moved.velocity.T, [[0.0, 2.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.eye(3), r"must be a finite \(2, 3\) affine"),
        (np.full((2, 3), np.nan), r"must be a finite \(2, 3\) affine"),
        (np.zeros((2, 3)), "got determinant 0"),
        (np.array([[1, 0, 0], [0, -1, 0]]), "got determinant -1"),
        (np.array([[9, 0, 0], [0, 9, 0]]), "got determinant 81"),
    ],
)
def test_impossible_camera_motion_is_refused(affine: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        camera.check_affine(affine)
