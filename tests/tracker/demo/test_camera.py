"""Rendered clips whose camera moves: the same story, seen through a known view; truth moves along."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.demo import DemoClip, DemoConfig
from tracker.demo.camera import CameraPath
from tracker.errors import ConfigError
from tracker.motion.camera import move_boxes

CLIP = {"seed": 41, "duration_s": 12, "rate_hz": 5, "width_px": 480, "height_px": 270}


def watched(**values):
    clip = DemoClip(DemoConfig(**CLIP | values))
    return clip, [frame.image for frame in clip]


@pytest.fixture(scope="module")
def static():
    return watched()


def test_the_default_camera_stands_and_sees_the_whole_street(static):
    clip, _ = static
    assert clip.config.camera == "static"
    for time_s in (0.0, 3.3):
        np.testing.assert_array_equal(clip.view(time_s), np.eye(2, 3))


@pytest.mark.parametrize("camera", ["pan", "shake"])
def test_truth_boxes_are_those_of_the_street_seen_through_the_view(static, camera):
    still, _ = static
    clip, _ = watched(camera=camera)
    truth, size = clip.truth, (480, 270)
    assert len(truth.id) > 80
    assert set(truth.id) <= set(still.truth.id)
    checked = 0
    for row in range(len(truth.id)):
        same = (still.truth.frame == truth.frame[row]) & (still.truth.id == truth.id[row])
        if not same.any():
            continue
        street = still.truth.whole_box[same]
        if street[0, 0] == 0 or street[0, 2] == size[0] or street[0, 3] == size[1]:
            continue  # cut by the border of the street already
        view = clip.view((truth.frame[row] - 1) / 5)
        expected = move_boxes(street, view)[0]
        limit, found = np.tile(np.array(size), 2), truth.whole_box[row]
        if (expected > 0).all() and (expected < limit).all():
            np.testing.assert_allclose(found, expected, atol=3)
            assert truth.visibility[row] == pytest.approx(still.truth.visibility[same][0], abs=0.08)
            checked += 1
        else:  # cut: what is left need not reach as high or as low
            assert (found >= np.append(expected[:2], (0, 0)) - 3).all()
            assert (found <= np.append(size, expected[2:]) + 3).all()
            assert truth.visibility[row] < still.truth.visibility[same][0] + 0.08
    assert checked > 30
    assert (truth.box[:, :2] >= truth.whole_box[:, :2]).all()
    assert (truth.box[:, 2:] <= truth.whole_box[:, 2:]).all()


def test_the_picture_is_the_street_through_the_view():
    _, street = watched(noise=0)
    clip, pictures = watched(noise=0, camera="pan")
    for index in (5, 30):
        view = clip.view(index / 5)
        for x, y in ((50, 40), (240, 135), (430, 30), (300, 250)):
            back = np.linalg.inv(view[:, :2]) @ (np.array([x, y]) - view[:, 2])
            u, v = np.rint(back).astype(int)
            near = street[index][v - 1 : v + 2, u - 1 : u + 2].reshape(-1, 3).astype(int)
            seen = pictures[index][y, x].astype(int)
            assert (seen >= near.min(axis=0) - 3).all()
            assert (seen <= near.max(axis=0) + 3).all()


@pytest.mark.parametrize("camera", ["pan", "shake"])
def test_the_camera_goes_the_same_way_at_any_rate_and_moves_enough_to_matter(camera):
    slow, fast = (DemoClip(DemoConfig(**CLIP | {"camera": camera, "rate_hz": r})) for r in (5, 30))
    times = np.arange(0, 12, 0.1)
    views = np.array([slow.view(t) for t in times])
    np.testing.assert_array_equal(views, [fast.view(t) for t in times])
    middle = views[:, :, :2] @ (240, 135) + views[:, :, 2]
    steps = np.linalg.norm(np.diff(middle, axis=0), axis=1)
    assert np.median(steps) > 0.01 * 480  # in a tenth of a second
    other = CameraPath(camera, 480, 270, seed=42)
    assert not np.array_equal(other.view(1.0), slow.view(1.0))


def test_a_pan_never_looks_past_the_street():
    path = CameraPath("pan", 480, 270, seed=7)
    for time_s in np.arange(0, 40, 0.25):
        view = path.view(time_s)
        corners = np.linalg.inv(view[:, :2]) @ (np.array([[0, 480, 0, 480], [0, 0, 270, 270]]) - view[:, 2:])
        assert (corners >= -1e-6).all()
        assert (corners.max(axis=1) <= (480, 270)).all()


def test_the_same_seed_gives_the_same_pixels():
    one, other = (watched(camera="shake", duration_s=2)[1] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_another_camera_is_refused():
    with pytest.raises(ConfigError, match="camera must be one of static, pan, shake, got 'drone'"):
        DemoConfig(camera="drone")
