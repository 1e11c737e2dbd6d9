"""What is refused, with which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracker.detectors import (
    FileDetector,
    MotionDetector,
    MotionDetectorConfig,
    OnnxDetector,
    OnnxDetectorConfig,
    open_detector,
)
from tracker.detectors.classes import ClassFilter
from tracker.errors import ConfigError, InputError, ModelError, TrackerError
from tracker.types import Frame

VECTOR = {"y": np.zeros((1, 512), np.float32)}
BOXES = {"boxes": np.zeros((1, 5, 4), np.float32), "scores": np.zeros((1, 5), np.float32)}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,-1,0,0,5", "line 2: must be frame,id,left,top,width,height[,score,...] with commas, got '1,-1,0,0,5'"),
        ("1 -1 0 0 5 5", "line 2: must be frame,id,left,top,width,height"),
        ("1,-1,0,0,-5,5,1", "line 2: width and height must be above 0, got -5 x 5"),
        ("1,-1,0,0,5,0,1", "line 2: width and height must be above 0, got 5 x 0"),
        ("1,-1,nan,0,5,5,1", "line 2: left must be a finite number, got 'nan'"),
        ("1,-1,0,0,5,5,high", "line 2: score must be a finite number, got 'high'"),
        ("0,-1,0,0,5,5,1", "line 2: frame must be a whole number from 1, got 0"),
        ("1.5,-1,0,0,5,5,1", "line 2: frame must be a whole number from 1, got 1.5"),
    ],
)
def test_detection_files(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "det.txt"
    path.write_text(f"1,-1,0,0,5,5,1\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        FileDetector(path)
    assert message in str(error.value)


def test_a_detection_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"detections file .*det\.txt does not exist"):
        FileDetector(tmp_path / "det.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="cannot be read as text"):
        FileDetector(tmp_path / "binary.txt")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OnnxDetectorConfig(conf=1.5), "conf must be within 0..1, got 1.5"),
        (lambda: OnnxDetectorConfig(conf=float("nan")), "conf must be within 0..1, got nan"),
        (lambda: OnnxDetectorConfig(nms_iou=-0.1), "nms_iou must be within 0..1, got -0.1"),
        (lambda: OnnxDetectorConfig(max_detections=0), "max_detections must be at least 1, got 0"),
        (lambda: OnnxDetectorConfig(input_size=(0, 5)), "input_size must be (width_px, height_px), both at least 1"),
        (lambda: OnnxDetectorConfig(pad_value=300), "pad_value must be within 0..255, got 300"),
        (lambda: OnnxDetectorConfig(scale=0.0), "scale must be above 0, got 0.0"),
        (lambda: OnnxDetectorConfig(std=(1, 0, 1)), "std must be above 0 in each channel, got (1, 0, 1)"),
        (lambda: MotionDetectorConfig(work_size_px=3), "work_size_px must be at least 64, got 3"),
        (lambda: MotionDetectorConfig(contrast=0), "contrast must be within 1..128 grey levels, got 0"),
        (lambda: MotionDetectorConfig(min_area_share=1), "min_area_share must be between 0 and 1, got 1"),
        (lambda: MotionDetectorConfig(learn_s=-1), "learn_s must be above 0, got -1"),
        (
            lambda: ClassFilter("person", {0: "person"}, "it"),
            "classes must be a sequence of names or ids",
        ),
        (lambda: ClassFilter(["persn"], {0: "person"}, "it"), "it has no class 'persn'; did you mean 'person'?"),
        (lambda: ClassFilter(["xyz"], {0: "person"}, "it"), "it has no class 'xyz'; it knows person"),
        (
            lambda: ClassFilter(["person"], {}, "it"),
            "it does not know the names of its classes, got 'person'",
        ),
        (lambda: ClassFilter(["7"], {0: "a", 3: "b"}, "it"), "it has no class with id 7, known are 0 to 3"),
        (lambda: ClassFilter([-1], {}, "it"), "it has no class with id -1"),
        (lambda: open_detector("resnet"), "detector must be motion (background subtraction), a path ending in .onnx"),
        (lambda: open_detector(""), "detector must be motion"),
        (lambda: open_detector("motion", conf=0.5), "conf cannot be honoured by detector 'motion', got 0.5"),
        (lambda: open_detector("motion", classes=["person"]), "classes cannot be honoured by detector 'motion'"),
        (lambda: open_detector("motion", device="cpu"), "device cannot be honoured by detector 'motion', got 'cpu'"),
        (lambda: open_detector("motion", threads=2), "threads cannot be honoured by detector 'motion', got 2"),
        (
            lambda: open_detector("motion", onnx=OnnxDetectorConfig(pad_value=3)),
            "onnx.pad_value cannot be honoured by detector 'motion', got 3",
        ),
        (lambda: open_detector("d.txt", device="cuda"), "device cannot be honoured by detector 'd.txt', got 'cuda'"),
        (lambda: open_detector("d.txt", classes=["a"]), "classes cannot be honoured by detector 'd.txt'"),
        (
            lambda: open_detector("m.onnx", motion=MotionDetectorConfig(learn_s=3)),
            "motion.learn_s cannot be honoured by detector 'm.onnx', got 3",
        ),
        (lambda: open_detector("yolo11n", threads=1), "threads cannot be honoured by detector 'yolo11n', got 1"),
    ],
)
def test_settings_and_names(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        make()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), (b"", "is empty"), (b"certainly no model", "is not an ONNX file, or is cut off")],
)
def test_files_that_are_no_model(tmp_path: Path, content: bytes | None, message: str) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError) as error:
        open_detector(path)
    assert message in str(error.value)
    assert "broken.onnx" in str(error.value)


@pytest.mark.parametrize(
    ("model", "config", "message"),
    [
        (
            {"outputs": {"y": np.zeros((1, 512), np.float32)}},
            {},
            "is no detector that is recognised: it has outputs y (1, 512)",
        ),
        (
            {"outputs": BOXES},
            {"format": "yolox"},
            "cannot be read as format 'yolox': it has outputs boxes (1, 5, 4)",
        ),
        ({"outputs": BOXES, "input_shape": (1, 1, 32, 32)}, {}, "must have one picture input of shape (1, 3, H, W)"),
        ({"outputs": BOXES, "input_shape": (4, 3, 32, 32)}, {}, "must take one picture at a time"),
        ({"outputs": BOXES, "dtype": "int64"}, {}, "must take float32, float16 or uint8 pictures, it has images"),
        ({"outputs": BOXES, "second_input": ("scale", (1, 7))}, {}, "wants inputs that are not known: scale (1, 7)"),
        ({"outputs": BOXES, "metadata": {"task": "obb"}}, {}, "is a model for obb, upright boxes are needed"),
        ({"outputs": BOXES}, {"input_size": (32, 32)}, "input_size: "),
        ({"outputs": BOXES}, {"class_names": ("a", "b")}, "has 1 classes, got 2 names"),
    ],
)
def test_models_that_do_not_fit(make_model: Any, model: dict[str, Any], config: dict[str, Any], message: str) -> None:
    path = make_model(**model)
    with pytest.raises(TrackerError) as error:
        OnnxDetector(path, OnnxDetectorConfig(**config))
    assert message in str(error.value)


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8), None],
)
def test_images_that_are_none(image: Any) -> None:
    with pytest.raises(InputError, match="image must"):
        MotionDetector()(Frame(image, 1, 0.0))
