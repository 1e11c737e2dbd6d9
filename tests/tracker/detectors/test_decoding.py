"""Every family, on models whose outputs are written by hand: one person at a known place in a 128x64 picture.

The input is 64x64, so the picture is halved: the truth (40, 20, 80, 60) is (20, 10, 40, 30) before padding. A centred
letterbox adds 16 rows above. Sides are not equal, nor are rows and columns: a swap would show.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tracker.detectors import OnnxDetector, OnnxDetectorConfig
from tracker.errors import ConfigError
from tracker.types import Detections, FloatArray, Frame

TRUTH = [40.0, 20.0, 80.0, 60.0]
FRAME = Frame(np.full((64, 128, 3), 90, np.uint8), 1, 0.0)
CENTRED = np.array([20, 26, 40, 46], np.float32)  # xyxy in the input
TOP_LEFT = np.array([20, 10, 40, 30], np.float32)
STRETCHED = np.array([20, 20, 40, 60], np.float32)
UNIT = STRETCHED / 64
CELLS = 8 * 8 + 4 * 4 + 2 * 2


def cxcywh(box: FloatArray) -> FloatArray:
    return np.concatenate(((box[:2] + box[2:]) / 2, box[2:] - box[:2]))


def table(rows: int, columns: int, row: int, values: Any) -> FloatArray:
    out = np.zeros((1, rows, columns), np.float32)
    out[0, row, : len(values)] = values
    return out


def check(detections: Detections, class_id: int = 0, score: float = 0.8) -> None:
    np.testing.assert_allclose(detections.boxes, [TRUTH], atol=0.1)
    assert detections.scores.tolist() == pytest.approx([score], abs=2e-3)
    assert detections.classes.tolist() == [class_id]
    assert detections.frame_size == (128, 64)


def yolox_raw() -> dict[str, Any]:
    # cell (3, 2) of stride 8 has number 2 * 8 + 3
    centre, size = cxcywh(TOP_LEFT)[:2] / 8 - (3, 2), np.log(cxcywh(TOP_LEFT)[2:] / 8)
    return {"output": table(CELLS, 85, 19, [*centre, *size, 1.0, 0, 0.8])}


def yolox_pixels() -> dict[str, Any]:
    out = np.zeros((1, CELLS, 85), np.float32)
    y, x = np.mgrid[:8, :8]
    out[0, :64, :2] = np.stack((x, y), -1).reshape(-1, 2) * 8 + 4
    y, x = np.mgrid[:4, :4]
    out[0, 64:80, :2] = np.stack((x, y), -1).reshape(-1, 2) * 16 + 8
    out[0, 80:, :2] = 32
    out[0, 19, :7] = [*cxcywh(TOP_LEFT), 1.0, 0, 0.8]
    return {"output": out}


def yolo() -> dict[str, Any]:
    return {"output0": table(CELLS, 24, 70, [*cxcywh(CENTRED), 0, 0.8]).transpose(0, 2, 1)}


def yolov6() -> dict[str, Any]:
    out = table(CELLS, 85, 70, [*cxcywh(CENTRED), 1, 0, 0.8])
    out[..., 4] = 1
    return {"output": out}


def nanodet_sides(point: tuple[float, float], stride: int) -> FloatArray:
    distances = np.concatenate((point - CENTRED[:2], CENTRED[2:] - point)) / stride  # (4,) in cells, 0..7
    logits = np.full((4, 8), -30.0, np.float32)
    for side, d in enumerate(distances):
        low = int(d)
        logits[side, low] = np.log(max(1 - (d - low), 1e-9))
        if d > low:
            logits[side, low + 1] = np.log(d - low)
    return logits.reshape(-1)


def nanodet_plus() -> dict[str, Any]:
    out = np.zeros((1, CELLS + 1, 80 + 32), np.float32)
    row = 4 * 8 + 3  # stride 8, point (24, 32)
    out[0, row, 1] = 0.8
    out[0, row, 80:] = nanodet_sides((24, 32), 8)
    return {"output": out}


def nanodet_levels() -> dict[str, Any]:
    named: dict[str, Any] = {}
    for stride, count in ((8, 64), (16, 16), (32, 4)):
        named[f"cls_pred_stride_{stride}"] = np.zeros((1, count, 80), np.float32)
        named[f"dis_pred_stride_{stride}"] = np.zeros((1, count, 32), np.float32)
    named["cls_pred_stride_8"][0, 4 * 8 + 3, 1] = 0.8
    named["dis_pred_stride_8"][0, 4 * 8 + 3] = nanodet_sides((28, 36), 8)
    return named


def tensorflow() -> dict[str, Any]:
    y_first = UNIT[[1, 0, 3, 2]]
    return {
        "detection_boxes": table(10, 4, 0, y_first),
        "detection_classes": np.full((1, 10), 1, np.float32),
        "detection_scores": np.array([[0.8] + [0.0] * 9], np.float32),
        "num_detections": np.array([10], np.float32),
    }


def torchvision() -> dict[str, Any]:
    return {
        "boxes": STRETCHED[None],
        "labels": np.array([1], np.int64),
        "scores": np.array([0.8], np.float32),
    }


def yolov7_tensorrt() -> dict[str, Any]:
    return {
        "num_dets": np.array([[1]], np.int64),
        "det_boxes": table(5, 4, 0, STRETCHED),
        "det_scores": np.array([[0.8, 0.9, 0, 0, 0]], np.float32),  # the second lies beyond num_dets
        "det_classes": np.array([[1, 1, 0, 0, 0]], np.int64),
    }


def caffe() -> dict[str, Any]:
    out = np.zeros((1, 1, 4, 7), np.float32)
    out[0, 0, 0] = [0, 1, 0.8, *UNIT]
    out[0, 0, 1:, 0] = -1
    return {"detection_out": out}


def pytorch_ssd() -> dict[str, Any]:
    scores = np.tile(np.array([1, 0, 0], np.float32), (1, 3000, 1))
    scores[0, 5] = [0.1, 0.1, 0.8]
    return {"scores": scores, "boxes": table(3000, 4, 5, UNIT)}


def detr() -> dict[str, Any]:
    logits = np.full((1, 100, 92), -9, np.float32)
    logits[..., 91] = 9
    logits[0, 3, :] = -20
    logits[0, 3, [1, 91]] = [np.log(0.8), np.log(0.2)]
    return {"logits": logits, "pred_boxes": table(100, 4, 3, cxcywh(UNIT))}


def rf_detr() -> dict[str, Any]:
    logits = np.full((1, 300, 91), -9, np.float32)
    logits[0, 3, 1] = np.log(0.8 / 0.2)
    return {"dets": table(300, 4, 3, cxcywh(UNIT)), "labels": logits}


def ultralytics_rtdetr() -> dict[str, Any]:
    return {"output0": table(300, 24, 3, [*cxcywh(UNIT), 0, 0.8])}


def end_to_end() -> dict[str, Any]:
    return {"output0": table(300, 6, 3, [*CENTRED, 0.8, 1])}


def yolov7_end_to_end() -> dict[str, Any]:
    return {"output": np.array([[0, *CENTRED, 1, 0.8]], np.float32)}


FAMILIES = [
    ("yolox", yolox_raw, 1),
    ("yolox", yolox_pixels, 1),
    ("yolo", yolo, 1),
    ("yolov5", yolov6, 1),
    ("nanodet", nanodet_plus, 1),
    ("nanodet", nanodet_levels, 1),
    ("ssd", tensorflow, 1),
    ("ssd", torchvision, 1),
    ("ssd", yolov7_tensorrt, 1),
    ("ssd", caffe, 1),
    ("ssd", pytorch_ssd, 1),
    ("detr", detr, 1),
    ("detr", rf_detr, 1),
    ("detr", ultralytics_rtdetr, 1),
    ("end_to_end", end_to_end, 1),
    ("end_to_end", yolov7_end_to_end, 1),
]


@pytest.mark.parametrize(("family", "outputs", "class_id"), FAMILIES, ids=lambda v: getattr(v, "__name__", None))
@pytest.mark.parametrize("stated", [False, True], ids=["recognised", "stated"])
def test_recognised_and_read(make_model: Any, family: Any, outputs: Any, class_id: int, stated: bool) -> None:
    config = OnnxDetectorConfig(format=family) if stated else OnnxDetectorConfig()
    detector = OnnxDetector(make_model(outputs()), config, device="cpu")
    assert detector.family.name == family
    check(detector(FRAME), class_id)


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_other_input_types(make_model: Any, dtype: str) -> None:
    outputs = {k: v.astype(np.float16) if dtype == "float16" else v for k, v in yolo().items()}
    check(OnnxDetector(make_model(outputs, dtype=dtype), device="cpu")(FRAME), 1)


def test_channels_last(make_model: Any) -> None:
    check(OnnxDetector(make_model(yolo(), (1, 64, 64, 3)), device="cpu")(FRAME), 1)


def test_yolov5_with_three_boxes_a_cell_and_one_class(make_model: Any) -> None:
    detector = OnnxDetector(make_model({"o": table(3 * CELLS, 6, 7, [*cxcywh(CENTRED), 0.8, 1])}), device="cpu")
    assert detector.family.name == "yolov5"
    assert dict(detector.class_names) == {0: "person"}
    check(detector(FRAME))


def test_masks_of_a_segmentation_model_are_ignored(make_model: Any) -> None:
    out = np.full((1, 4 + 2 + 32, CELLS), 5, np.float32)  # mask weights are no scores
    out[0, 4:6] = 0
    out[0, :6, 9] = [*cxcywh(CENTRED), 0, 0.8]
    outputs = {"output0": out, "output1": np.zeros((1, 32, 16, 16), np.float32)}
    path = make_model(outputs, metadata={"names": "{0: 'cat', 1: 'dog'}", "task": "segment"})
    detector = OnnxDetector(path, device="cpu")
    assert dict(detector.class_names) == {0: "cat", 1: "dog"}
    check(detector(FRAME), 1)


def test_rtdetr_is_told_the_size_of_the_frame(make_model: Any) -> None:
    outputs = {
        "labels": np.array([[1]], np.int64),
        "boxes": np.array([[TRUTH]], np.float32),
        "scores": np.array([[0.8]], np.float32),
    }
    path = make_model(outputs, second_input=("orig_target_sizes", (1, 2)))
    detector = OnnxDetector(path, OnnxDetectorConfig(class_names=("coco80",)), device="cpu")
    assert detector.family.name == "rtdetr"
    assert detector.class_names[1] == "bicycle"
    check(detector(FRAME), 1)


def test_transformer_of_two_classes_is_not_taken_for_end_to_end(make_model: Any) -> None:
    rows = np.tile(np.array([0.5, 0.5, 0.2, 0.2, 0, 0], np.float32), (1, 300, 1))
    rows[0, 3] = [*cxcywh(UNIT), 0, 0.8]
    path = make_model({"output0": rows}, metadata={"names": "['cat', 'dog']"})
    detector = OnnxDetector(path, device="cpu")
    assert detector.family.name == "detr"
    check(detector(FRAME), 1)


def test_free_sizes_follow_the_metadata_or_the_configuration(make_model: Any) -> None:
    axes = (1, 3, "height", "width")
    path = make_model(yolo(), axes, metadata={"imgsz": "[64, 64]"})
    assert OnnxDetector(path, device="cpu").input_size == (64, 64)
    path = make_model(yolo(), axes, name="other.onnx")
    detector = OnnxDetector(path, OnnxDetectorConfig(input_size=(64, 64)), device="cpu")
    check(detector(FRAME), 1)


def test_rows_that_are_nonsense_are_dropped(make_model: Any) -> None:
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, :, 4] = 0.9
    rows[0, 0] = [*CENTRED, 0.8, 1]
    rows[0, 1, :4] = [np.nan, 0, 10, 10]
    rows[0, 2, :4] = [np.inf, 0, np.inf, 10]
    rows[0, 3, :4] = [30, 30, 20, 20]
    rows[0, 4, :4] = [5, 2, 60, 12]  # in the padding only
    rows[0, 5, :4] = [5, 5, 5, 40]
    rows[0, 6] = [*CENTRED, np.nan, 1]
    check(OnnxDetector(make_model({"output0": rows}), device="cpu")(FRAME), 1)


def three_boxes() -> dict[str, Any]:
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, 0] = [20, 26, 40, 46, 0.5, 0]
    rows[0, 1] = [21, 26, 40, 46, 0.9, 0]
    rows[0, 2] = [20, 26, 40, 46, 0.05, 2]
    return {"output0": rows}


@pytest.mark.parametrize(
    ("config", "scores"),
    [
        ({}, [0.9, 0.5]),
        ({"conf": 0.0}, [0.9, 0.5, 0.05]),
        ({"conf": 0.5}, [0.9, 0.5]),
        ({"conf": 0.51}, [0.9]),
        ({"nms_iou": 0.6}, [0.9]),
        ({"max_detections": 1}, [0.9]),
        ({"conf": 0.01, "classes": ("2",)}, [0.05]),
        ({"conf": 0.01, "classes": ("c",), "class_names": ("a", "b", "c")}, [0.05]),
    ],
)
def test_what_is_kept(make_model: Any, config: dict[str, Any], scores: list[float]) -> None:
    detector = OnnxDetector(make_model(three_boxes()), OnnxDetectorConfig(**config), device="cpu")
    found = detector(FRAME).scores[: len(scores) + 1]
    assert found[found > 0].tolist() == pytest.approx(scores)


def test_a_name_is_refused_where_the_model_knows_none(make_model: Any) -> None:
    with pytest.raises(ConfigError, match="does not know the names of its classes, got 'person'"):
        OnnxDetector(make_model(three_boxes()), OnnxDetectorConfig(classes=("person",)), device="cpu")
