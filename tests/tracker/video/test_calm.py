"""What is held still in a video, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.video.calm import Calmer


def noisy(picture: np.ndarray, rng: np.random.Generator, deviation: float = 2.5) -> np.ndarray:
    return np.clip(np.rint(picture + rng.normal(0, deviation, picture.shape)), 0, 255).astype(np.uint8)


def test_noise_is_held_still_and_what_moves_is_not():
    rng = np.random.default_rng(0)
    ground = rng.integers(60, 180, (80, 120, 3)).astype(float)
    calm = Calmer()
    first = calm(noisy(ground, rng)).copy()
    for left in range(0, 100, 5):
        scene = ground.copy()
        scene[20:60, left : left + 15] = (20, 200, 230)
        image = noisy(scene, rng)
        before = image.copy()
        shown = calm(image)
        np.testing.assert_array_equal(image, before)
        np.testing.assert_array_equal(shown[:16], first[:16])
        # nothing but noise lies between what is shown and what is there, also where the block came from
        assert np.abs(shown - scene).max() < 15


def test_a_slow_change_of_light_is_followed():
    calm = Calmer()
    for level in np.linspace(60, 180, 241):
        shown = calm(np.full((40, 40, 3), round(level), np.uint8))
        assert np.abs(shown.astype(float) - level).max() <= 5


def test_a_thin_line_is_seen_where_it_appears():
    calm = Calmer()
    calm(np.full((40, 40, 3), 100, np.uint8))
    image = np.full((40, 40, 3), 100, np.uint8)
    image[:, 20] = 130
    np.testing.assert_array_equal(calm(image), image)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (30, 20)])
def test_any_size_will_do_and_a_new_one_begins_anew(size):
    calm = Calmer()
    calm(np.zeros((10, 10, 3), np.uint8))
    image = np.full((*size, 3), 7, np.uint8)
    np.testing.assert_array_equal(calm(image), image)
    np.testing.assert_array_equal(calm(image + 100), image + 100)
