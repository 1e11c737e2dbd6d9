"""The real models, on real pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tracker.boxes import iou
from tracker.detectors import OnnxDetector, OnnxDetectorConfig, open_detector
from tracker.types import DetectorLike, FloatArray, Frame

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def sequence(shared_data: Path) -> list[Frame]:
    """TUD-Stadtmitte."""

    def read() -> Iterator[Frame]:
        video = cv2.VideoCapture(str(shared_data / "seq" / "TUD-Stadtmitte" / "TUD-Stadtmitte.mp4"))
        while (read := video.read())[0]:
            index = len(frames) + 1
            frames.append(Frame(np.asarray(read[1], np.uint8), index, (index - 1) / 25))
            yield frames[-1]

    frames: list[Frame] = []
    assert sum(1 for _ in read()) == 179
    return frames


@pytest.fixture(scope="module")
def truth(shared_data: Path) -> dict[int, FloatArray]:
    """Boxes of each frame."""
    rows = np.loadtxt(shared_data / "seq" / "TUD-Stadtmitte" / "gt" / "gt.txt", delimiter=",")
    rows = rows[rows[:, 6] != 0]
    boxes = np.concatenate((rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]), axis=1).astype(np.float32)
    return {i: boxes[rows[:, 0] == i] for i in range(1, 180)}


def recall_precision(
    detector: DetectorLike, frames: list[Frame], truth: dict[int, FloatArray], score: float
) -> tuple[float, float]:
    """Persons, one to one at IoU >= 0.5."""
    hits = wanted = found = 0
    for frame in frames:
        detections = detector(frame)
        boxes = detections.boxes[(detections.scores >= score) & (detections.classes == 0)]
        overlap = iou(boxes, truth[frame.index])
        rows, columns = linear_sum_assignment(-(overlap >= 0.5).astype(float))
        hits += int((overlap[rows, columns] >= 0.5).sum())
        wanted, found = wanted + len(truth[frame.index]), found + len(boxes)
    return hits / wanted, hits / found


def test_yolox_nano_finds_what_is_stated(
    shared_data: Path, sequence: list[Frame], truth: dict[int, FloatArray]
) -> None:
    model = shared_data / "models" / "yolox_nano_416x416.onnx"
    detector = OnnxDetector(model, OnnxDetectorConfig(conf=0.3, nms_iou=0.6), device="cpu")
    recall, precision = recall_precision(detector, sequence, truth, 0.3)
    assert recall == pytest.approx(0.842, abs=0.01)
    assert precision == pytest.approx(0.916, abs=0.01)


@pytest.mark.parametrize(
    ("name", "family", "classes", "score", "least_recall", "least_precision"),
    [
        # the stated values, less the spread of a sample of every sixth frame
        ("light_person_detector_192", "yolox", 1, 0.3, 0.78, 0.90),
        ("nanodet_m_320", "nanodet", 80, 0.35, 0.75, 0.83),
        ("pedestrian_ssdlite_from_pypi", "ssd", 1, 0.3, 0.70, 0.83),
    ],
)
def test_the_others_work_without_any_setting(
    shared_data: Path,
    sequence: list[Frame],
    truth: dict[int, FloatArray],
    name: str,
    family: str,
    classes: int,
    score: float,
    least_recall: float,
    least_precision: float,
) -> None:
    detector = open_detector(shared_data / "models" / f"{name}.onnx", device="cpu")
    assert isinstance(detector, OnnxDetector)
    assert detector.family.name == family
    assert len(detector.class_names) == classes
    assert detector.class_names[0] == "person"
    recall, precision = recall_precision(detector, sequence[::6], truth, score)
    assert recall >= least_recall
    assert precision >= least_precision


def test_cached_detections_are_reproduced(shared_data: Path, sequence: list[Frame]) -> None:
    """Boxes and scores of an independent implementation (persons, score >= 0.1, IoU 0.6), up to half a pixel."""
    cache = np.load(shared_data / "cache" / "TUD-Stadtmitte.npz")
    model = shared_data / "models" / "yolox_nano_416x416.onnx"
    detector = open_detector(model, device="cpu", conf=0.1, classes=["person"], onnx=OnnxDetectorConfig(nms_iou=0.6))
    for frame in sequence[::30]:
        mine = detector(frame)
        theirs = cache["dets"][cache["frame"] == frame.index]
        sure = theirs[theirs[:, 4] >= 0.3]
        best = iou(sure[:, :4], mine.boxes).argmax(axis=1)
        np.testing.assert_allclose(mine.boxes[best], sure[:, :4], atol=0.5)
        np.testing.assert_allclose(mine.scores[best], sure[:, 4], atol=5e-3)


@pytest.mark.parametrize("name", ["osnet_x0_25_msmt17", "person-reidentification-retail-0248"])
def test_an_embedder_is_no_detector(shared_data: Path, name: str) -> None:
    from tracker.errors import ModelError

    with pytest.raises(ModelError, match="is no detector that is recognised"):
        open_detector(shared_data / "models" / f"{name}.onnx", device="cpu")
