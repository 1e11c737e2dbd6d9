from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tracker.boxes import iou
from tracker.demo.scene import DemoClip, DemoConfig
from tracker.detectors import MotionDetector, MotionDetectorConfig
from tracker.detectors.subtraction.background import Background
from tracker.detectors.subtraction.sizes import SizePrior
from tracker.types import Detections, FloatArray, Frame, Image

RATE_HZ = 25.0
SIZE = (320, 240)


def scene(seed: int = 0) -> Image:
    """A room: smooth blotches with a few edges, (240, 320, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(80, 170, (12, 16, 3)).astype(np.uint8)
    image = cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC)
    cv2.rectangle(image, (200, 20), (280, 110), (150, 160, 170), -1)
    return np.asarray(image, np.uint8)


def person(
    image: Image, left: float, colour: tuple[int, int, int], top: float = 80, size: tuple[int, int] = (30, 90)
) -> FloatArray:
    """Paint a figure of two tones with stripes; returns its box."""
    x, y = round(left), round(top)
    width, height = 30, 90
    dark = tuple(c // 2 for c in colour)
    cv2.rectangle(image, (x, y), (x + width - 1, y + height // 2), colour, -1)
    cv2.rectangle(image, (x, y + height // 2), (x + width - 1, y + height - 1), dark, -1)
    for row in range(y + 6, y + height, 18):
        cv2.rectangle(image, (x, row), (x + width - 1, row + 4), tuple(255 - c for c in colour), -1)
    return np.array([max(x, 0), y, min(x + width, SIZE[0]), y + height], np.float32)


def noisy(images: Iterable[Image], seed: int = 1) -> Iterator[Frame]:
    rng = np.random.default_rng(seed)
    for index, image in enumerate(images, start=1):
        grain = rng.normal(0, 2, image.shape)
        yield Frame(np.clip(image + grain, 0, 255).astype(np.uint8), index, (index - 1) / RATE_HZ)


def best_iou(found: Detections, box: FloatArray, score: float = 0.5) -> float:
    boxes = found.boxes[found.scores >= score]
    return float(iou(boxes, box[None]).max()) if len(boxes) else 0.0


def test_somebody_who_walks_through_is_boxed_all_the_way() -> None:
    detector, overlaps, extra = MotionDetector(), [], 0
    truth = []

    def walk() -> Iterator[Image]:
        for step in range(90):
            image = scene()
            truth.append(person(image, -40 + 4 * step, (40, 60, 200)) if step >= 20 else None)
            yield image

    for frame, box in ((f, truth[-1]) for f in noisy(walk())):
        found = detector(frame)
        if box is None or box[2] - box[0] < 28:
            continue
        overlaps.append(best_iou(found, box))
        extra += int((found.scores >= 0.5).sum()) - 1
    assert len(overlaps) > 50
    assert np.mean(np.array(overlaps) > 0.7) > 0.95
    assert extra <= 1
    assert not detector.camera_moves


def test_two_who_cross_are_told_apart_again_and_mostly_meanwhile() -> None:
    detector, both = MotionDetector(), []
    for index, frame in enumerate(noisy(cross())):
        found = detector(frame)
        first, second = cross_boxes(index)
        if iou(first[None], second[None])[0, 0] < 0.35 and index > 30:
            both.append(min(best_iou(found, first), best_iou(found, second)) >= 0.5)
    assert len(both) > 60
    assert np.mean(both) > 0.9


def test_without_splitting_two_who_touch_are_one_box() -> None:
    apart, together = MotionDetector(), MotionDetector(MotionDetectorConfig(split=False))
    counts = [((apart(f).scores >= 0.5).sum(), (together(f).scores >= 0.5).sum()) for f in noisy(cross())]
    touching = counts[51:54]  # the boxes overlap by up to a half
    assert all(a == 2 and t == 1 for a, t in touching)


def cross_boxes(index: int) -> tuple[FloatArray, FloatArray]:
    image = scene()
    return person(image, 10 + 2.4 * index, (40, 60, 200)), person(image, 280 - 2.4 * index, (60, 190, 60), top=90)


def cross() -> Iterator[Image]:
    yield scene()
    for index in range(1, 105):
        image = scene()
        if index > 3:
            person(image, 10 + 2.4 * index, (40, 60, 200))
            person(image, 280 - 2.4 * index, (60, 190, 60), top=90)
        yield image


def test_a_change_of_light_is_no_object() -> None:
    detector = MotionDetector()
    images = [np.clip(scene() * gain, 0, 255).astype(np.uint8) for gain in [1.0] * 20 + [0.75] * 20 + [1.1] * 20]
    for frame in noisy(images):
        assert (detector(frame).scores < 0.5).all()


def test_a_new_scene_is_learnt_anew() -> None:
    detector = MotionDetector()
    found = [detector(f) for f in noisy([scene(0)] * 10 + [255 - scene(5)] * 20)]
    assert all(len(f) == 0 for f in found[14:])
    assert sum(len(f) for f in found) <= 2


def test_a_shadow_is_not_part_of_the_object() -> None:
    detector = MotionDetector()
    last: list[tuple[Detections, FloatArray]] = []

    def walk() -> Iterator[Image]:
        for step in range(70):
            image = scene()
            if step < 10:
                yield image
                continue
            x = 20 + 3 * step
            ground = image[150:170, x + 25 : x + 95]
            image[150:170, x + 25 : x + 95] = (ground * 0.7).astype(np.uint8)
            boxes.append(person(image, x, (40, 60, 200)))
            yield image

    boxes: list[FloatArray] = []
    for frame in noisy(walk()):
        found = detector(frame)
        if boxes:
            last.append((found, boxes[-1]))
    assert np.mean([best_iou(f, b) > 0.75 for f, b in last[5:]]) > 0.9


def test_somebody_there_from_the_start_leaves_no_ghost() -> None:
    detector, ghosts, hits = MotionDetector(), 0, 0
    for step, image in enumerate(leaving()):
        found = detector(next(noisy([image], seed=step)).__class__(image, step + 1, step / RATE_HZ))
        if step < 45:
            continue
        ghosts += best_iou(found, np.array([100, 80, 130, 170], np.float32)) > 0.4
        hits += best_iou(found, np.array([100 + 4 * (step - 20), 80, 130 + 4 * (step - 20), 170], np.float32)) > 0.5
    assert ghosts == 0
    assert hits >= 15


def leaving() -> Iterator[Image]:
    for step in range(65):
        image = scene()
        person(image, 100 + 4 * max(step - 20, 0), (40, 60, 200))
        yield image


def test_what_stands_still_for_long_becomes_background() -> None:
    detector = MotionDetector(MotionDetectorConfig(absorb_s=3.0))
    images = [scene()] * 60
    parked = scene()
    box = person(parked, 150, (40, 60, 200))
    found = [detector(f) for f in noisy(images + [parked] * 100)]
    assert best_iou(found[75], box) > 0.7
    assert len(found[-1]) == 0


def test_a_moving_camera_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    wide = cv2.resize(rng.integers(0, 255, (30, 120, 3)).astype(np.uint8), (1200, 240), interpolation=cv2.INTER_CUBIC)
    detector = MotionDetector()
    with caplog.at_level(logging.WARNING, logger="tracker.detectors.motion"):
        for frame in noisy(wide[:, 3 * i : 3 * i + 320] for i in range(120)):
            detector(frame)
    assert detector.camera_moves
    assert len(caplog.records) == 1
    assert "yolox_nano.onnx" in caplog.text
    assert "yolo11n.pt" in caplog.text


def test_a_trembling_mount_is_no_moving_camera() -> None:
    rng = np.random.default_rng(2)
    detector = MotionDetector()
    wide = cv2.copyMakeBorder(scene(), 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    shifts = rng.integers(0, 2, (100, 2)).tolist()
    for frame in noisy(np.asarray(wide[y : y + 240, x : x + 320], np.uint8) for y, x in shifts):
        assert (detector(frame).scores < 0.5).all()
    assert not detector.camera_moves


def test_another_frame_size_starts_anew_and_times_need_not_advance() -> None:
    detector = MotionDetector()
    for size in (SIZE, (200, 100)):
        for index in range(4):
            image = np.asarray(cv2.resize(scene(), size), np.uint8)
            found = detector(Frame(image, index + 1, 0.0))
            assert len(found) == 0
            assert found.frame_size == size


def test_boxes_are_in_pixels_of_the_full_frame() -> None:
    detector = MotionDetector(MotionDetectorConfig(work_size_px=160))
    image = scene()
    boxes = []
    for frame in noisy([image] * 15 + [scene() for _ in range(15)]):
        if frame.index > 15:
            painted = frame.image.copy()
            boxes.append((detector(Frame(painted, frame.index, frame.time_s)), person(painted, 100, (40, 60, 200))))
            continue
        detector(frame)
    painted = scene()
    box = person(painted, 100, (40, 60, 200))
    found = [detector(Frame(painted, 31 + i, (30 + i) / RATE_HZ)) for i in range(5)][-1]
    assert best_iou(found, box) > 0.8


def test_noise_raises_the_threshold_where_it_is() -> None:
    rng = np.random.default_rng(4)
    ground = scene()
    background = Background(ground, MotionDetectorConfig())
    for _ in range(80):
        flicker = ground.copy()
        flicker[:, :100] = np.clip(flicker[:, :100] + rng.normal(0, 25, (240, 100, 1)), 0, 255).astype(np.uint8)
        mask, _ = background.apply(flicker)
        background.learn(np.zeros_like(mask), 0.04)
    assert (mask[:, :100] > 0).mean() < 0.02
    assert (mask[:, 100:] > 0).mean() == 0


def test_usual_sizes_follow_the_row_of_the_foot_or_say_nothing() -> None:
    prior = SizePrior()
    rng = np.random.default_rng(0)
    assert prior.expected(100) is None
    for foot in rng.uniform(100, 250, 80):
        height = 0.5 * foot + rng.normal(0, 2)
        prior.add(np.array([0, foot - height, 0.4 * height, foot], np.float32))
    expected = prior.expected(200)
    assert expected is not None
    assert expected == pytest.approx((40, 100), rel=0.05)
    for size in rng.uniform(10, 200, 300):  # cars, dogs, people
        prior.add(np.array([0, 200 - size, rng.uniform(0.2, 3) * size, 200], np.float32))
    assert prior.expected(200) is None


def test_people_of_the_rendered_clip_are_found() -> None:
    """At least half visible ones, one to one at IoU >= 0.5, in the first 14 seconds."""
    clip = DemoClip(DemoConfig(seed=100, duration_s=14, width_px=640, height_px=360))
    detector = MotionDetector()
    found = {f.index: detector(f) for f in clip}
    truth = clip.truth
    hits = wanted = boxes = 0
    for index, detections in found.items():
        rows = truth.frame == index
        seen = truth.visibility[rows]
        good = detections.boxes[detections.scores >= 0.5]
        overlap = iou(good, truth.box[rows])
        d, g = linear_sum_assignment(-np.where(overlap >= 0.5, overlap, 0))
        matched = overlap[d, g] >= 0.5
        hits += int((seen[g[matched]] >= 0.5).sum())
        wanted += int((seen >= 0.5).sum())
        boxes += len(good) - int((seen[g[matched]] < 0.5).sum())
    assert hits / wanted > 0.86
    assert hits / boxes > 0.86


@pytest.mark.shared_data
def test_one_person_at_a_time_on_a_real_video(shared_data: Path) -> None:
    """The first 130 frames: nobody until frame 60, then one woman."""
    video = cv2.VideoCapture(str(shared_data / "video" / "one-by-one-person-detection.mp4"))
    detector = MotionDetector()
    counts = []
    for index in range(1, 131):
        ok, image = video.read()
        assert ok
        found = detector(Frame(np.asarray(image, np.uint8), index, (index - 1) / 10))
        counts.append(int((found.scores >= 0.6).sum()))
    assert max(counts[:55]) == 0
    assert np.mean(np.array(counts[75:]) == 1) > 0.97
    assert not detector.camera_moves
