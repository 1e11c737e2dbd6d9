"""The robust fit: exact points, wrong points, and none to speak of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.camera.agreement import agreed_motion, farthest
from tracker.camera.similarity import ComplexArray, Similarity, fit_similarity

SIZE = (180, 320)  # height, width


def scattered(count: int, seed: int) -> ComplexArray:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, SIZE[1], count) + 1j * rng.uniform(0, SIZE[0], count)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.floats(0.85, 1.15), st.floats(-0.2, 0.2), st.complex_numbers(max_magnitude=50), st.integers(0, 10**6))
def test_most_points_win_over_a_third_that_go_elsewhere(zoom: float, turn: float, shift: complex, seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, start = Similarity(zoom * complex(np.exp(1j * turn)), shift), scattered(120, seed)
    end = true.zoom_turn * start + true.shift + 0.1 * (rng.normal(size=120) + 1j * rng.normal(size=120))
    wrong = rng.choice(120, 40, replace=False)
    end[wrong] += rng.uniform(5, 60, 40) * np.exp(2j * np.pi * rng.random(40))
    found, inliers = fit_similarity(start, end, 0.8)
    assert not inliers[wrong].any()
    assert inliers.sum() == 80
    assert found.residual(np.array([0j, 320 + 180j]), true.zoom_turn * np.array([0j, 320 + 180j]) + shift).max() < 0.3


def test_points_that_are_one_point_do_no_harm() -> None:
    start = np.full(20, 3 + 4j)
    found, inliers = fit_similarity(start, start + 2, 0.8)
    assert np.isfinite(found.zoom_turn)
    assert np.isfinite(found.shift)
    assert len(inliers) == 20


def test_the_affine_is_the_same_mapping() -> None:
    motion, points = Similarity(1.1 * complex(np.exp(0.2j)), 3 - 5j), scattered(7, 1)
    moved = motion.affine() @ np.stack((points.real, points.imag, np.ones(7)))
    np.testing.assert_allclose(moved[0] + 1j * moved[1], motion.zoom_turn * points + motion.shift)
    assert motion.residual(points, points).max() > 1
    assert farthest(Similarity(1.0, 3 + 4j), SIZE) == pytest.approx(5)


def test_too_few_points_agree_on_nothing() -> None:
    start = scattered(11, 2)
    assert agreed_motion(start, start + 5, SIZE, 0.5) is None


def test_points_in_one_part_of_the_picture_do_not_speak_for_all_of_it() -> None:
    start = scattered(200, 3)
    end = start + 6
    left = start.real < 160
    end[~left] += 40 * np.exp(2j * np.pi * np.random.default_rng(4).random((~left).sum()))
    assert agreed_motion(start, end, SIZE, 0.3) is None
    assert agreed_motion(start[left], end[left], SIZE, 0.3) is not None  # where the other half shows nothing at all


def test_what_stands_while_the_rest_moves_shows_that_the_camera_stands() -> None:
    start = scattered(200, 5)
    passing = np.arange(200) % 10 < 6
    assert agreed_motion(start, start + 9 * passing, SIZE, 0.5) is None
    overlay = np.arange(200) % 10 < 9
    motion = agreed_motion(start, start + 9 * overlay, SIZE, 0.5)
    assert motion is not None
    assert motion.shift == pytest.approx(9, abs=0.1)


@pytest.mark.parametrize(
    "motion", [Similarity(1.5, -30 - 20j), Similarity(complex(np.exp(0.6j)), 60), Similarity(1.0, 150 + 0j)]
)
def test_what_no_camera_does_between_two_frames_is_not_believed(motion: Similarity) -> None:
    start = scattered(100, 6)
    assert agreed_motion(start, motion.zoom_turn * start + motion.shift, SIZE, 0.5) is None
