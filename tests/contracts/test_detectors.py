"""What every detector promises (`tracker.types.DetectorLike`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracker.detectors import FileDetector, MotionDetector, OnnxDetector, OnnxDetectorConfig
from tracker.errors import InputError
from tracker.types import DetectorLike, Frame

SIZES = [(64, 48), (33, 17), (1, 1), (7, 300), (640, 480)]
MODELS = ["light_person_detector_192", "nanodet_m_320", "pedestrian_ssdlite_from_pypi", "yolox_nano_416x416"]
STATELESS = ["file", *MODELS]


def frames(size: tuple[int, int], count: int = 3) -> list[Frame]:
    """A bright block that moves over noise, (width_px, height_px)."""
    rng = np.random.default_rng(1)
    width, height = size
    ground = rng.integers(60, 90, (height, width, 3)).astype(np.uint8)
    out = []
    for index in range(1, count + 1):
        image = ground.copy()
        left = width * index // (count + 3)
        image[height // 4 : height * 3 // 4 + 1, left : left + max(width // 6, 1)] = (30, 220, 240)
        out.append(Frame(image, index, (index - 1) / 25))
    return out


@pytest.fixture(scope="module")
def models() -> dict[str, OnnxDetector]:
    """Loaded once: they keep no state."""
    return {}


@pytest.fixture(params=["motion", *STATELESS])
def detector(request: Any, tmp_path: Path, models: dict[str, OnnxDetector]) -> DetectorLike:
    if request.param == "motion":
        return MotionDetector()
    if request.param == "file":
        path = tmp_path / "det.txt"
        path.write_text("".join(f"{i},-1,3,4,10,12,0.{i}\n" for i in range(1, 5)), encoding="ascii")
        return FileDetector(path)
    model = request.getfixturevalue("shared_data") / "models" / f"{request.param}.onnx"
    # so low a floor that random pictures give boxes to look at
    if request.param not in models:
        config = OnnxDetectorConfig(conf=0.001, max_detections=50)
        models[request.param] = OnnxDetector(model, config, device="cpu")
    return models[request.param]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_arrays_are_as_the_types_say_for_any_picture(detector: DetectorLike, size: tuple[int, int]) -> None:
    for frame in frames(size):
        before = frame.image.copy()
        found = detector(frame)
        count = len(found)
        assert found.boxes.shape == (count, 4)
        assert (found.boxes.dtype, found.scores.dtype, found.classes.dtype) == (np.float32, np.float32, np.int64)
        assert np.isfinite(found.boxes).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
        assert ((found.scores >= 0) & (found.scores <= 1)).all()
        assert set(found.classes.tolist()) <= set(detector.class_names)
        assert found.frame_size == size
        assert found.embeddings is None
        np.testing.assert_array_equal(frame.image, before)


def test_a_picture_that_may_not_be_written_to(detector: DetectorLike) -> None:
    for frame in frames((64, 48)):
        frame.image.flags.writeable = False
        assert detector(frame).frame_size == (64, 48)


def test_a_plain_picture_holds_nothing_certain(detector: DetectorLike) -> None:
    if isinstance(detector, FileDetector):
        pytest.skip("a file does not look at the picture")
    for value in (0, 128, 255):
        found = detector(Frame(np.full((120, 160, 3), value, np.uint8), 1 + value, value / 25))
        assert (found.scores < 0.5).all()


def test_boxes_come_best_first_where_a_model_ranks_them(detector: DetectorLike) -> None:
    if isinstance(detector, FileDetector):
        pytest.skip("a file keeps its own order")
    for frame in frames((200, 150), 4):
        assert (np.diff(detector(frame).scores) <= 0).all()


@pytest.mark.parametrize("detector", STATELESS, indirect=True)
def test_the_same_frame_gives_the_same_answer(detector: DetectorLike) -> None:
    first, other, _ = frames((320, 240))
    before = detector(first)
    detector(other)
    after = detector(first)
    np.testing.assert_array_equal(before.boxes, after.boxes)
    np.testing.assert_array_equal(before.scores, after.scores)


@pytest.mark.parametrize("detector", ["motion"], indirect=True)
def test_two_of_them_share_nothing(detector: DetectorLike) -> None:
    clip = frames((320, 240), 12)
    alone = [detector(f).boxes for f in clip]
    one, two = MotionDetector(), MotionDetector()
    for frame, expected in zip(clip, alone, strict=True):
        np.testing.assert_array_equal(one(frame).boxes, expected)
        two(Frame(np.ascontiguousarray(frame.image[::-1]), frame.index, frame.time_s))


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((0, 5, 3), np.uint8), np.zeros((4, 4, 3))])
def test_what_is_no_picture_is_refused(detector: DetectorLike, image: Any) -> None:
    if isinstance(detector, FileDetector):
        pytest.skip("a file does not look at the picture")
    with pytest.raises(InputError, match="image must"):
        detector(Frame(image, 1, 0.0))
