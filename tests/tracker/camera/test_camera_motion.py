"""The estimate of camera motion on pictures of which the motion is known."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from tracker.camera import CameraMotion, CameraMotionConfig
from tracker.camera.flow import outside
from tracker.errors import ConfigError, InputError
from tracker.motion.camera import check_affine
from tracker.types import DoubleArray, Image

SIZE = (960, 540)  # width, height
Shot = Callable[..., Image]


@pytest.fixture(scope="module")
def shot() -> Shot:
    """Renders one and the same wall through a (2, 3) view of it, with sensor noise of a seed."""
    rng = np.random.default_rng(5)
    wall = np.full((1000, 1500, 3), 128, np.uint8)
    for _ in range(1500):
        x, y, w, h = (int(v) for v in rng.integers((0, 0, 8, 8), (1500, 1000, 70, 70)))
        cv2.rectangle(wall, (x, y), (x + w, y + h), rng.integers(30, 225, 3).tolist(), -1)
    wall = np.asarray(cv2.GaussianBlur(wall, (0, 0), 1.5), np.uint8)
    middle = np.array([[1.0, 0.0, -270.0], [0.0, 1.0, -230.0]])

    def render(view: DoubleArray | None = None, *, seed: int = 0, noise: float = 2.0) -> Image:
        whole = middle if view is None else compose(middle, view)
        picture = cv2.warpAffine(wall, whole, SIZE, flags=cv2.INTER_CUBIC)
        grain = np.random.default_rng(seed).normal(0, noise, picture.shape)
        return np.clip(picture + grain, 0, 255).astype(np.uint8)

    return render


def compose(first: DoubleArray, then: DoubleArray) -> DoubleArray:
    """The affine that does one, then the other."""
    return (np.vstack((then, (0, 0, 1))) @ np.vstack((first, (0, 0, 1))))[:2]


def about_middle(zoom: float = 1.0, turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> DoubleArray:
    """A view zoomed and turned (radians) about the middle of the picture, then shifted."""
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array(SIZE) / 2 - 0.5  # OpenCV's pixels have their centres at whole numbers
    return np.column_stack((linear, middle - linear @ middle + shift))


def error_px(found: DoubleArray | None, true: DoubleArray) -> float:
    """How far apart two motions take any corner of the picture."""
    assert found is not None
    corners = np.array([[x, y, 1] for x in (0, SIZE[0]) for y in (0, SIZE[1])], float).T
    return float(np.linalg.norm((found - true) @ corners, axis=0).max())


MOTIONS = {
    "a slow pan": about_middle(shift=(3, 0)),
    "a fast pan": about_middle(shift=(-140, 25)),
    "a tilt": about_middle(shift=(1, -30)),
    "a turn": about_middle(turn=0.05),
    "a zoom in": about_middle(zoom=1.06),
    "a zoom out": about_middle(zoom=0.95),
    "all at once": about_middle(0.97, -0.03, (35, -18)),
}


@pytest.mark.parametrize("true", MOTIONS.values(), ids=MOTIONS)
def test_shift_turn_and_zoom_are_found(shot: Shot, true: DoubleArray) -> None:
    camera = CameraMotion()
    assert camera.update(shot()) is None
    found = camera.update(shot(true, seed=1))
    assert error_px(found, true) < 1.0
    check_affine(found)  # what the tracker takes


def test_a_long_movement_is_found_frame_by_frame(shot: Shot) -> None:
    camera = CameraMotion()
    views = [about_middle(1 + 0.01 * np.sin(i), 0.01 * np.sin(2 * i), (40 * np.sin(i / 3), 6.0 * i)) for i in range(15)]
    motions = [camera.update(shot(view, seed=i)) for i, view in enumerate(views)]
    total = np.eye(2, 3)
    for motion in motions[1:]:
        assert motion is not None
        total = compose(total, motion)
    back = np.linalg.inv(np.vstack((views[0], (0, 0, 1))))
    assert error_px(total, (np.vstack((views[-1], (0, 0, 1))) @ back)[:2]) < 4.0


@pytest.mark.parametrize("noise", [0.0, 2.0, 12.0])
def test_a_camera_that_stands_has_no_motion(shot: Shot, noise: float) -> None:
    camera = CameraMotion()
    assert all(camera.update(shot(seed=i, noise=noise)) is None for i in range(6))


def test_a_standing_camera_costs_no_flow(shot: Shot, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = CameraMotion()
    camera.update(shot())
    monkeypatch.setattr("tracker.camera.estimator.corners", lambda *_: pytest.fail("flow was asked for"))
    walker = shot(seed=1)
    cv2.rectangle(walker, (300, 100), (420, 480), (20, 40, 200), -1)
    for picture in (shot(seed=2), walker, cv2.add(shot(seed=3), (4, 4, 4, 0))):  # noise, somebody, a little more light
        assert camera.update(np.asarray(picture, np.uint8)) is None


def test_a_camera_that_begins_to_move_after_standing_is_noticed_at_once(shot: Shot) -> None:
    camera = CameraMotion()
    for i in range(10):
        camera.update(shot(seed=i))
    assert error_px(camera.update(shot(MOTIONS["a slow pan"], seed=11)), MOTIONS["a slow pan"]) < 1.0
    assert camera.update(shot(MOTIONS["a slow pan"], seed=12)) is None  # and stands again
    assert camera.update(shot(MOTIONS["a slow pan"], seed=13)) is None


@pytest.mark.parametrize("speed_px", [0.2, 0.5, 0.8, 1.5])
def test_a_pan_too_slow_for_one_frame_adds_up(shot: Shot, speed_px: float) -> None:
    camera, total = CameraMotion(), np.eye(2, 3)
    for i in range(61):  # two seconds
        view = about_middle(shift=(speed_px * i, 0))
        motion = camera.update(np.ascontiguousarray(shot(view, seed=i)[90:450, 160:800]))  # 640 x 360
        total = total if motion is None else compose(total, motion)
        middle = total @ (320, 180, 1) - (320, 180)
        np.testing.assert_allclose(middle, (speed_px * i, 0), atol=2 * 0.64 + 0.04 * speed_px * i)


def test_a_mount_that_trembles_stands(shot: Shot) -> None:
    camera = CameraMotion()
    for i in range(20):
        assert camera.update(shot(about_middle(shift=(0.4 * (-1) ** i, 0.2 * (-1) ** (i // 2))), seed=i)) is None


def crowd(picture: Image, boxes: np.ndarray, seed: int) -> Image:
    """Textured things over most of the picture."""
    rng = np.random.default_rng(seed)
    for x1, y1, x2, y2 in boxes.astype(int).tolist():
        coarse = rng.integers(0, 255, ((y2 - y1) // 12 + 1, (x2 - x1) // 12 + 1, 3)).astype(np.uint8)
        patch = cv2.resize(coarse, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)
        part = picture[max(y1, 0) : y2, max(x1, 0) : x2]
        part[:] = patch[max(-y1, 0) :, max(-x1, 0) :][: part.shape[0], : part.shape[1]]
    return picture


def test_what_moves_by_itself_is_left_out_by_its_box(shot: Shot) -> None:
    boxes = np.array(
        [[x, 90.0, x + 120, 450.0] for x in (10, 200, 400, 590, 780)]
    )  # half of the picture with their margins
    true, walked = about_middle(shift=(-12, 4)), np.tile([30.0, 0.0], 2)
    before, after = crowd(shot(), boxes, 1), crowd(shot(true, seed=1), boxes + walked, 1)
    camera = CameraMotion()
    camera.update(before, boxes)
    assert error_px(camera.update(after, boxes + walked), true) < 1.0
    without = CameraMotion()
    without.update(before)
    found = without.update(after)
    assert found is None or error_px(found, true) > 5  # the boxes were needed


def test_a_standing_camera_before_a_passing_crowd_has_no_motion(shot: Shot) -> None:
    boxes = np.array([[x, 90.0, x + 120, 450.0] for x in (10, 200, 400, 590, 780)])
    camera = CameraMotion()
    for i in range(6):
        there = boxes + np.tile([8.0 * i, 0.0], 2)
        assert camera.update(crowd(shot(seed=i), there, 1), there) is None


def test_one_large_thing_that_no_box_covers_is_not_the_camera(shot: Shot) -> None:
    camera = CameraMotion()
    for i in range(8):
        bus = np.array([[40.0 + 20 * i, 80, 640 + 20 * i, 520]])  # more than half of the picture
        assert camera.update(crowd(shot(seed=i), bus, 1)) is None


@pytest.mark.parametrize("picture", ["plain", "dark", "noise", "gradient"])
def test_pictures_without_texture_tell_nothing(picture: str) -> None:
    camera, rng = CameraMotion(), np.random.default_rng(0)
    ramp = np.repeat(np.linspace(0, 255, SIZE[0])[None, :, None], SIZE[1], axis=0).repeat(3, axis=2)
    for i in range(5):
        image = {
            "plain": np.full((SIZE[1], SIZE[0], 3), 90 + i),
            "dark": rng.poisson(1.5, (SIZE[1], SIZE[0], 3)),
            "noise": rng.integers(0, 256, (SIZE[1], SIZE[0], 3)),
            "gradient": np.roll(ramp, 5 * i, axis=1),
        }[picture]
        assert camera.update(image.astype(np.uint8)) is None


def test_a_cut_to_another_scene_is_no_motion(shot: Shot) -> None:
    camera = CameraMotion()
    camera.update(shot())
    other = np.ascontiguousarray(shot()[::-1, ::-1])
    assert camera.update(other) is None
    assert camera.update(shot(MOTIONS["a turn"])[::-1, ::-1].copy()) is not None  # and goes on from there


def test_a_frame_of_another_size_starts_anew(shot: Shot) -> None:
    camera = CameraMotion()
    camera.update(shot())
    small = np.asarray(cv2.resize(shot(), (480, 270), interpolation=cv2.INTER_AREA), np.uint8)
    moved = np.asarray(cv2.resize(shot(MOTIONS["a tilt"]), (480, 270), interpolation=cv2.INTER_AREA), np.uint8)
    assert camera.update(small) is None
    found = camera.update(moved)
    assert found is not None
    np.testing.assert_allclose(found[:, 2], (0.5, -15), atol=0.5)


def test_reset_forgets_the_last_frame(shot: Shot) -> None:
    camera = CameraMotion()
    camera.update(shot())
    camera.reset()
    assert camera.update(shot(MOTIONS["a turn"])) is None


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 7), (3000, 20), (64, 48), (333, 217), (1921, 1079)])
def test_pictures_of_any_size_are_taken(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    camera = CameraMotion()
    step, cell = max(size[0] // 100, 1), max(size[0] // 40, 12)
    coarse = rng.integers(0, 255, (size[1] // cell + 2, size[0] // cell + 2, 3)).astype(np.uint8)
    wide = cv2.resize(coarse, (size[0] + 4 * step, size[1]), interpolation=cv2.INTER_CUBIC)
    motions = [camera.update(np.ascontiguousarray(wide[:, step * i : step * i + size[0]])) for i in range(5)]
    assert motions[0] is None
    for motion in motions[1:]:
        if min(size) > 100:
            assert motion is not None
            np.testing.assert_allclose(motion, [[1, 0, -step], [0, 1, 0]], atol=0.6)
        elif motion is not None:
            check_affine(motion)


def test_the_same_frames_give_the_same_motions_whatever_ran_before(shot: Shot) -> None:
    frames = [shot(about_middle(1.0, 0.01 * (i % 3), (9.0 * i, 0)), seed=i) for i in range(5)]
    first = [CameraMotion(), CameraMotion()]
    expected = [first[0].update(frame) for frame in frames]
    cv2.setRNGSeed(77)
    np.random.default_rng().random(5)
    first[1].update(shot())
    first[1].reset()
    for frame, motion in zip(frames, expected, strict=True):
        before = frame.copy()
        again = first[1].update(frame)
        np.testing.assert_array_equal(before, frame)
        assert (again is None) == (motion is None)
        if motion is not None:
            assert again is not None
            np.testing.assert_array_equal(again, motion)


def test_a_box_that_reaches_further_than_any_picture_leaves_nothing_outside() -> None:
    assert not outside(np.array([[-1e30, -1e30, 1e30, 1e30]]), (40, 60)).any()


@pytest.mark.parametrize(
    ("image", "boxes", "message"),
    [
        (np.zeros((40, 40), np.uint8), None, r"image must be \(H, W, 3\) uint8 in BGR, got uint8 \(40, 40\)"),
        (np.zeros((40, 40, 3)), None, r"got float64 \(40, 40, 3\)"),
        ("picture.jpg", None, "got str"),
        (np.zeros((0, 40, 3), np.uint8), None, "image must have at least one pixel"),
        (np.zeros((40, 40, 3), np.uint8), np.zeros((2, 3)), r"boxes must be finite, of shape \(N, 4\), got \(2, 3\)"),
        (np.zeros((40, 40, 3), np.uint8), [[0, 0, np.inf, 1]], r"boxes must be finite"),
    ],
)
def test_what_is_no_picture_or_no_box_is_refused(image: object, boxes: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CameraMotion().update(image, boxes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("work_size_px", 32, "work_size_px must be a whole number of at least 64, got 32"),
        ("work_size_px", 320.5, "work_size_px must be a whole number of at least 64, got 320.5"),
        ("still_share", 0.0, "still_share must be between 0 and 0.1, got 0.0"),
        ("min_support", 1.0, "min_support must be between 0 and 1, got 1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(name: str, value: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CameraMotionConfig(**{name: value})
