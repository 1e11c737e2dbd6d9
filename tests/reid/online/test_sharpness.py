"""How sharp a crop is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from reid.online.sharpness import sharpness


def person(height_px=160):
    """A picture with edges of all directions and sizes."""
    rng = np.random.default_rng(3)
    image = np.full((160, 80, 3), 90, np.uint8)
    for _ in range(60):
        x, y, size = rng.integers(0, 80), rng.integers(0, 160), int(rng.integers(3, 20))
        cv2.circle(image, (int(x), int(y)), size, rng.integers(0, 256, 3).tolist(), -1)
    return cv2.resize(image, (height_px // 2, height_px), interpolation=cv2.INTER_AREA)


def test_blur_of_any_direction_counts():
    whole = sharpness(person())
    blurred = [cv2.GaussianBlur(person(), (0, 0), 5), cv2.blur(person(), (25, 1)), cv2.blur(person(), (1, 25))]
    assert all(sharpness(image) < 0.25 * whole for image in blurred)


def test_a_picture_that_was_made_larger_is_not_sharp():
    assert sharpness(cv2.resize(person(20), (80, 160))) < 0.25 * sharpness(person())


@pytest.mark.parametrize(
    "change", [lambda p: p // 3, lambda p: p // 2 + 100, lambda p: person(320), lambda p: person(100)]
)
def test_light_contrast_and_size_matter_little(change):
    assert 0.5 < sharpness(change(person())) / sharpness(person()) < 2


def test_a_plain_surface_has_none():
    assert sharpness(np.full((50, 30, 3), 128, np.uint8)) == 0


def test_real_people_are_sharp_and_smeared_ones_are_not(shared_data):
    refused, smeared, count = 0, 0, 0
    for truth in sorted((shared_data / "seq" / "MOT17-mini").rglob("gt.txt")):
        rows = np.loadtxt(truth, delimiter=",")
        path = sorted(truth.parents[1].rglob("*.jpg"))[0]
        image = cv2.imread(str(path))
        for _, _, x, y, width, height, valid, _, visible in rows[rows[:, 0] == int(path.stem)]:
            crop = image[max(int(y), 0) : int(y + height), max(int(x), 0) : int(x + width)]
            if valid == 1 and visible > 0.7 and height >= 48 and crop.size:
                count += 1
                refused += sharpness(crop) < 0.012
                smeared += sharpness(cv2.blur(crop, (max(int(height * 0.1), 1), 1))) < 0.012
    assert count > 20
    assert refused < 0.05 * count
    assert smeared > 0.8 * count
